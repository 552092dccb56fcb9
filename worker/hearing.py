"""Hearing: whether this worker still gets what waits in its queues.

kombu's consumer may go deaf without any error: an acknowledgement that fails because Redis is away leaves its message
counted as being worked on for ever, and with as many of them as there are processes nothing is asked for any more.
"""

from dataclasses import dataclass
from time import monotonic

DEAF_SECONDS = 4.0
"""A hint that waits while a process is free is taken within milliseconds; so long says that nobody listens."""

CURES_BEFORE_EXIT = 2
"""Reconnections that changed nothing, after which only a new process helps."""


@dataclass(frozen=True)
class Sounds:
    """What is to be seen at one moment."""

    waiting: int
    """Hints in the queues."""
    reserved: int
    """Hints that this worker has and is not done with."""
    received: int
    """Hints that its processes took since it started."""


class Hearing:
    """Fed with `Sounds` now and then, it says when the worker is deaf; each time it is given so long anew."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._received = 0
        self._silent_since: float | None = None
        self.cures = 0
        """How often in a row it was found deaf without a hint in between."""

    def is_deaf(self, sounds: Sounds, now: float | None = None) -> bool:
        """Whether hints have been waiting for too long although a process is free and none was received."""
        now = monotonic() if now is None else now
        if sounds.received != self._received:
            self._received, self._silent_since, self.cures = sounds.received, None, 0
        if not sounds.waiting or sounds.reserved >= self._slots:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since >= DEAF_SECONDS:
            self._silent_since = None
            self.cures += 1
            return True
        return False
