"""Progress bars on a terminal: one for the upload, the prediction and the download, one for a rehearsal."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Job

_WIDTH_FOR_BAR, _WIDTH_FOR_RATE = 110, 80
"""Narrower terminals get the line without the bar itself, or also without the rate."""


class StepsBar:
    """One bar for all steps: what is done of a step, how fast it goes, and the time that is left."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._step = ""
        self._task = shown.add_task("", total=None, visible=False, unit="bytes", rate=None, seconds_left=None)

    def uploaded(self, done: int, total: int | None) -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        self._show("Uploading", done, total, unit="bytes")

    def predicted(self, job: "Job") -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        rows = job.progress
        rate, seconds_left = rows.get("rows_per_second"), rows.get("eta_seconds")
        done, total = rows.get("rows_done") or 0, rows.get("rows_total")
        self._show("Predicting", done, total, unit="rows", rate=rate, seconds_left=seconds_left)

    def downloaded(self, done: int, total: int | None) -> None:
        """Implements `rowcast.cli.progress.ProgressDisplay`."""
        self._show("Downloading", done, total, unit="bytes")

    def _show(self, step: str, done: int, total: int | None, **fields: Any) -> None:
        """Shows a step. A new one begins with its own time and rate."""
        fields = {"rate": None, "seconds_left": None, **fields}
        if step != self._step:
            self._shown.refresh()  # the end of the step before, which may be newer than what was drawn last
            self._step = step
            self._shown.reset(self._task, description=step, total=total, visible=True, **fields)
        self._shown.update(self._task, completed=done, total=total, **fields)


class _Amount(ProgressColumn):
    """The amount in the bar's unit, for example `1,200 of 4,000 rows`."""

    def render(self, task: Task) -> Text:
        done, total = int(task.completed), None if task.total is None else int(task.total)
        if task.fields["unit"] == "bytes":
            return Text(filesize.decimal(done) + (f" of {filesize.decimal(total)}" if total else ""), no_wrap=True)
        return Text(f"{done:,} of {counted(total, 'row')}" if total else counted(done, "row"), no_wrap=True)


class _Rate(ProgressColumn):
    """The amount for each second: as the service says for rows, as measured here for bytes."""

    def render(self, task: Task) -> Text:
        if task.fields["unit"] == "rows":
            rate = task.fields["rate"]
            return Text("" if rate is None else f"{rate:,.0f} rows/s", no_wrap=True)
        return Text("" if task.speed is None else f"{filesize.decimal(int(task.speed))}/s", no_wrap=True)


class _TimeLeft(ProgressColumn):
    """The time that is left; nothing if it is unknown."""

    def render(self, task: Task) -> Text:
        known = task.fields["seconds_left"] if task.fields["unit"] == "rows" else task.time_remaining
        return Text("" if not known else f"{timedelta(seconds=math.ceil(known))} left", no_wrap=True)


@contextmanager
def bar() -> Iterator[StepsBar]:
    """Yields a bar that is drawn in one line on standard error until the block ends."""
    console = Console(stderr=True)
    drawn = [BarColumn()] if console.width >= _WIDTH_FOR_BAR else []
    rate = [_Rate()] if console.width >= _WIDTH_FOR_RATE else []
    columns = (SpinnerColumn(), TextColumn("{task.description:<11}"), *drawn, _Amount(), *rate, _TimeLeft())
    with Progress(*columns, console=console, transient=False) as shown:
        yield StepsBar(shown)


@contextmanager
def rehearsal_bar(first: str = "Rehearsing") -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function that draws a rehearsal's progress on a terminal: step, steps done, steps in all.

    `first` is shown until it is called.
    """
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(first, total=None)
        yield lambda what, done, total: shown.update(task, description=what, completed=done, total=total)
