"""The number of worker processes that `rowcast up` runs: a fixed one, or as many as are wanted."""

import os
import re
from dataclasses import dataclass

_AUTO = re.compile(r"auto(?::([0-9]{1,4}))?")


@dataclass(frozen=True)
class WorkerCount:
    """What `--workers` says."""

    #: Number of processes from the start.
    least: int
    #: The most processes at a time. If it is `least`, the number is fixed.
    most: int

    @property
    def is_fixed(self) -> bool:
        """Whether the number stays as it is."""
        return self.least == self.most

    @classmethod
    def read(cls, text: str) -> "WorkerCount":
        """Parses `4`, `auto` (1 to the number of cores) or `auto:8` (1 to 8).

        Raises:
            ValueError: the text has another form.
        """
        found = _AUTO.fullmatch(text)
        if found:
            return cls(1, _positive(found[1]) if found[1] else usable_cores())
        number = _positive(text)
        return cls(number, number)


TWO = WorkerCount(2, 2)
"""What `rowcast up` runs if nothing else is said."""


def usable_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
