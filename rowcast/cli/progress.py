"""Progress on standard error: a bar on a terminal, otherwise a line every few seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from rich import filesize

from rowcast.cli.output import say
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Job

_LINE_INTERVAL_SECONDS = 5.0


class ProgressDisplay(Protocol):
    """What the commands report their progress to."""

    def uploaded(self, done: int, total: int | None) -> None:
        """Shows that `done` bytes of the input have been sent; `total` is None if the size is unknown."""

    def predicted(self, job: "Job") -> None:
        """Shows the state of the job."""

    def downloaded(self, done: int, total: int | None) -> None:
        """Shows that `done` bytes of the result have arrived."""


@contextmanager
def progress(out: str | None = None) -> Iterator[ProgressDisplay]:
    """Yields a bar or lines, as standard error needs. A bar would draw over a result that goes to the same terminal."""
    if not sys.stderr.isatty() or (out == "-" and sys.stdout.isatty()):
        yield ProgressLines()
        return
    from rowcast.cli.progress_bars import bar

    with bar() as shown:
        yield shown


class ProgressLines:
    """Prints a line every few seconds and when a step ends."""

    def __init__(self) -> None:
        self._said_at = monotonic()

    def uploaded(self, done: int, total: int | None) -> None:
        """Implements `ProgressDisplay`."""
        self._say(f"Uploaded {_amount(done, total)}", done == total)

    def predicted(self, job: "Job") -> None:
        """Implements `ProgressDisplay`."""
        rows = job.progress
        done, total = rows.get("rows_done") or 0, rows.get("rows_total")
        rate, seconds_left = rows.get("rows_per_second"), rows.get("eta_seconds")
        sentence = f"Job {job.id} is {job.status}"
        if total:
            sentence += f": {done:,} of {counted(total, 'row')} done"
            if rate and seconds_left and not job.has_ended:
                sentence += f", {rate:,.0f} a second, about {seconds_left:,.0f} s left"
        self._say(sentence, job.has_ended)

    def downloaded(self, done: int, total: int | None) -> None:
        """Implements `ProgressDisplay`."""
        self._say(f"Downloaded {_amount(done, total)}", done == total)

    def _say(self, sentence: str, ends: bool) -> None:
        if ends or monotonic() - self._said_at >= _LINE_INTERVAL_SECONDS:
            self._said_at = monotonic()
            say(sentence + ".")


def _amount(done: int, total: int | None) -> str:
    return filesize.decimal(done) + (f" of {filesize.decimal(total)}" if total else "")
