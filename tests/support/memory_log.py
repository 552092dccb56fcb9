"""The memory of a stack's programs and of its Redis over a long run, and whether it grows."""

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from programs import Stack
from redis.exceptions import RedisError

MIB = 2**20
_WARM_UP_SHARE = 0.15
"""The first part of a run is left out: programs start, and caches fill."""


class MemoryLog:
    """Looks at a stack every now and then, in a thread, until it is stopped."""

    def __init__(self, stack: Stack, pause_seconds: float) -> None:
        self._stack, self._pause_seconds = stack, pause_seconds
        self._over = threading.Event()
        self._began = time.monotonic()
        self.samples: list[dict[str, float]] = []
        """Seconds since the begin, and MiB by program: PSS of its processes, and what Redis says it uses."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()

    def growth(self) -> Mapping[str, float]:
        """Returns by program how much it has grown over the run, as a share of its mean; 0 if noise may explain it.

        It is the slope of a line through the samples, less twice the error of the slope.
        """
        rows = self.samples[int(len(self.samples) * _WARM_UP_SHARE) :]
        found = {}
        for program in sorted({name for row in rows for name in row} - {"seconds"}):
            at, size = np.array([(row["seconds"], row[program]) for row in rows if program in row]).T
            (slope, _), covariance = np.polyfit(at, size, 1, cov=True)
            certain = max(0.0, abs(slope) - 2 * float(np.sqrt(covariance[0, 0]))) * np.sign(slope)
            found[program] = float(certain * (at[-1] - at[0]) / size.mean())
        return found

    def write(self, file: Path, about: Mapping[str, object]) -> None:
        """Keeps the samples for the picture."""
        file.write_text(json.dumps({**about, "growth": self.growth(), "samples": self.samples}) + "\n")

    def _run(self) -> None:
        while not self._over.wait(self._pause_seconds):
            sample = {"seconds": round(time.monotonic() - self._began, 1)}
            for program, kept in list(self._stack.supervised.items()):
                if kept.pid and (size := _pss(kept.pid)):
                    sample[program] = round(size / MIB, 1)
            with suppress(RedisError):
                sample["redis"] = round(self._stack.redis.info("memory")["used_memory"] / MIB, 2)
            self.samples.append(sample)


def _pss(pid: int) -> int:
    """Returns the memory of a process and its children; 0 if some of them have just ended."""
    try:
        top = psutil.Process(pid)
        return sum(process.memory_full_info().pss for process in [top, *top.children(recursive=True)])
    except psutil.Error:
        return 0
