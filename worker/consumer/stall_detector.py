"""The stall detector: notices that a worker receives no messages although messages wait for it.

kombu's consumer may stall without any error. If an acknowledgement fails because Redis cannot be reached, its message
counts as unacknowledged for ever. With as many of those as there are processes, kombu fetches no more messages.
"""

from dataclasses import dataclass

STALLED_LOOKS = 6
"""The consumer is stalled if this many snapshots in a row show a waiting message, a free process, and none received.

A message is normally received within milliseconds. Snapshots are counted instead of seconds, because the consumer had
its turn between two of them, however busy the machine is."""

RECONNECTS_BEFORE_EXIT = 2
"""Number of reconnections without effect after which the worker exits, to be started again."""


@dataclass(frozen=True)
class QueueSnapshot:
    """What one check shows."""

    #: Messages in the queues.
    waiting: int
    #: Messages that this worker has received and not acknowledged.
    reserved: int
    #: Messages that this worker has received since it started.
    received: int


class StallDetector:
    """Compares successive snapshots. `slots` is the number of processes of the worker."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._received = 0
        self._looks = 0
        self.reconnects = 0
        """How often in a row it was found stalled without a message in between."""

    def is_stalled(self, snapshot: QueueSnapshot) -> bool:
        """Returns whether the consumer must be reconnected. Afterwards it counts from zero again."""
        if snapshot.received != self._received:
            self._received, self._looks, self.reconnects = snapshot.received, 0, 0
        is_suspect = snapshot.waiting > 0 and snapshot.reserved < self._slots
        self._looks = self._looks + 1 if is_suspect else 0
        if self._looks < STALLED_LOOKS:
            return False
        self._looks = 0
        self.reconnects += 1
        return True
