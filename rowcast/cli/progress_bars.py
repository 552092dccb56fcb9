"""Progress bars on a terminal: for the upload, the prediction and the download."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from rowcast.client import Job


class Bars:
    """Three bars; each is shown when its step begins."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._upload = shown.add_task("Uploading", total=None, visible=False, unit="bytes")
        self._predict = shown.add_task("Predicting", total=None, visible=False, unit="rows")
        self._download = shown.add_task("Downloading", total=None, visible=False, unit="bytes")

    def uploaded(self, done: int, total: int | None) -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        self._shown.update(self._upload, completed=done, total=total, visible=True)

    def predicted(self, job: "Job") -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        rows = job.progress
        self._shown.update(
            self._predict, completed=rows.get("rows_done") or 0, total=rows.get("rows_total"), visible=True
        )

    def downloaded(self, done: int, total: int | None) -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        self._shown.update(self._download, completed=done, total=total, visible=True)


class _Amount(ProgressColumn):
    """The amount in the bar's unit, for example `1,200 of 4,000 rows`."""

    def render(self, task: Task) -> Text:
        done, total = int(task.completed), None if task.total is None else int(task.total)
        if task.fields["unit"] == "bytes":
            return Text(filesize.decimal(done) + (f" of {filesize.decimal(total)}" if total else ""))
        return Text(f"{done:,}" + (f" of {total:,} rows" if total else " rows"))


@contextmanager
def bars() -> Iterator[Bars]:
    """Yields bars that are drawn on standard error until the block ends."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<11}"), BarColumn(), _Amount(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as shown:
        yield Bars(shown)


@contextmanager
def rehearsal_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function that draws a rehearsal's progress on a terminal: step, steps done, steps in all."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Rehearsing", total=None)
        yield lambda what, done, total: shown.update(task, description=what, completed=done, total=total)
