"""Progress: bars on a terminal, now and then a plain line elsewhere; always on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from rich import filesize

from rowcast.cli.output import say

if TYPE_CHECKING:
    from rowcast.client import Job

_LINE_SECONDS = 5.0


class Progress(Protocol):
    """What the commands report to."""

    def uploaded(self, done: int, total: int | None) -> None:
        """So many bytes of the input have been sent."""

    def predicted(self, job: "Job") -> None:
        """The job as it is now."""

    def downloaded(self, done: int, total: int | None) -> None:
        """So many bytes of the result have come."""


@contextmanager
def progress(out: str | None = None) -> Iterator[Progress]:
    """The form that fits where standard error goes; bars would draw over a result (`out`) on the same terminal."""
    if not sys.stderr.isatty() or (out == "-" and sys.stdout.isatty()):
        yield Lines()
        return
    from rowcast.cli.progress_bars import bars

    with bars() as shown:
        yield shown


class Lines:
    """A line when a step ends, and every few seconds before that."""

    def __init__(self) -> None:
        self._said_at = monotonic()

    def uploaded(self, done: int, total: int | None) -> None:
        """See `Progress`."""
        self._say(f"Sent {filesize.decimal(done)}" + (f" of {filesize.decimal(total)}" if total else ""), done == total)

    def predicted(self, job: "Job") -> None:
        """See `Progress`."""
        rows = job.progress
        done, total = rows.get("rows_done") or 0, rows.get("rows_total")
        self._say(f"Job {job.id} {job.status}: {done:,} of {total:,} rows" if total else job.status, job.has_ended)

    def downloaded(self, done: int, total: int | None) -> None:
        """See `Progress`."""
        self._say(
            f"Fetched {filesize.decimal(done)}" + (f" of {filesize.decimal(total)}" if total else ""), done == total
        )

    def _say(self, sentence: str, ends: bool) -> None:
        if ends or monotonic() - self._said_at >= _LINE_SECONDS:
            self._said_at = monotonic()
            say(sentence + ".")
