"""A file of 10 GB, which is made while it is sent: time per row, and the peak memory of each program.

The run takes some minutes, and 11 GB of disk for the input and the predictions; so it is not one of the groups that run
without being named.
"""

import io
from pathlib import Path
from statistics import median

from bench import data, models
from bench.service import Service, rowcast
from bench.single import MODEL, seconds_of
from bench.table import Figure
from rowcast import Client
from rowcast.memory import MIB

PROGRAMS = ("gateway", "worker", "upkeep", "redis")
TIMES, QUICK_TIMES = 106, 11
"""How often the file of 94 MB is sent as one: 10 GB, or 1 GB for a quick try."""


class Repeated(io.RawIOBase):
    """A pipe with a CSV file whose rows are repeated. Only one block of it is in memory."""

    def __init__(self, file: Path, times: int) -> None:
        super().__init__()
        self._file, self._left = file.open("rb"), times - 1

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: "bytearray | memoryview[int]") -> int:  # type: ignore[override]
        """Reads the next bytes. At the end of the file it goes back to the row after the header line."""
        read = self._file.readinto(buffer)
        if not read and self._left and len(buffer):
            self._left -= 1
            self._file.seek(0)
            self._file.readline()
            read = self._file.readinto(buffer)
        return read


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Sends the file of 94 MB three times, and then the large one."""
    file, times = data.numbers(folder), QUICK_TIMES if quick else TIMES
    models.fit(file, "logistic_regression", folder / "up" / "models")
    with rowcast(folder / "up") as service:
        small = median(seconds_of(_through, service, file, 1) for _ in range(3))
        before = _peaks(service)
        large = seconds_of(_through, service, file, times)
        after = _peaks(service)
    name = f"{times * file.stat().st_size / 1e9:.0f} GB"
    said = ", ".join(f"{program}: {before[program]:.0f} and {after[program]:.0f} MiB" for program in PROGRAMS)
    return [
        Figure(f"time a row, {name}", "94 MB", large / times / small, " times", 1.1, "at most", f"{large:.0f} s"),
        *(
            Figure(f"{program}'s peak memory, {name}", "94 MB", more, " MiB more", 30, "at most", said)
            for program, more in ((program, after[program] - before[program]) for program in PROGRAMS)
        ),
        Figure(f"gateway's peak memory, {name}", "", after["gateway"], " MiB", 120, "at most", said),
    ]


def _through(service: Service, file: Path, times: int) -> None:
    """Sends the file and fetches the predictions. The job is deleted, so that the disk has room for the next one."""
    with Client(service.url) as client:
        job = client.submit_csv(io.BufferedReader(Repeated(file, times), MIB), model=MODEL, output="predictions")
        job.wait()
        job.download(service.data / "predictions.csv")
        assert job.refresh().raw["progress"]["rows_done"] == times * data.ROWS
        job.delete()


def _peaks(service: Service) -> dict[str, float]:
    return {name: service.peak_bytes(name) / MIB for name in PROGRAMS}
