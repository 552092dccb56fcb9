"""The stall detector: whether this worker still gets what waits in its queues.

kombu's consumer may go deaf without any error: an acknowledgement that fails because Redis is away leaves its message
counted as being worked on for ever, and with as many of them as there are processes nothing is asked for any more.
"""

from dataclasses import dataclass

STALLED_LOOKS = 6
"""So many looks in a row with a hint that waits, a process that is free, and none received: nobody listens. A hint is
taken within milliseconds. Looks and not seconds: between two of them the consumer had its turn, however busy the
machine is."""

RECONNECTS_BEFORE_EXIT = 2
"""Reconnections that changed nothing, after which only a new process helps."""


@dataclass(frozen=True)
class QueueSnapshot:
    """What one look shows: hints in the queues, hints that this worker is not done with, hints taken so far."""

    waiting: int
    reserved: int
    received: int


class StallDetector:
    """Fed with what each look shows, it says when the worker is deaf."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._received = 0
        self._looks = 0
        self.reconnects = 0
        """How often in a row it was found deaf without a hint in between."""

    def is_stalled(self, snapshot: QueueSnapshot) -> bool:
        """Whether it is high time to do something; then it takes as many looks until it says so again."""
        if snapshot.received != self._received:
            self._received, self._looks, self.reconnects = snapshot.received, 0, 0
        is_suspect = snapshot.waiting > 0 and snapshot.reserved < self._slots
        self._looks = self._looks + 1 if is_suspect else 0
        if self._looks < STALLED_LOOKS:
            return False
        self._looks = 0
        self.reconnects += 1
        return True
