"""Output: sentences and errors on standard error, tables and JSON on standard output."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rowcast.client import Job


def say(sentence: str) -> None:
    """A sentence for the user, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def fail(error: Exception) -> None:
    """An error in the user's words, with each fault of a refused request below it."""
    detail = str(getattr(error, "detail", error))
    say(f"rowcast: {detail}")
    for fault in getattr(error, "errors", None) or []:
        if str(fault.get("message", "")) not in detail:
            say(f"  {fault.get('where')}: {fault.get('message')}")


def show_json(value: object, stream: TextIO | None = None) -> None:
    """One JSON document, on standard output where no stream is given."""
    print(json.dumps(value, ensure_ascii=False, indent=2), file=stream or sys.stdout)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on standard output: aligned for a terminal, tabs between the cells otherwise.

    Nothing is cut: a terminal that is too narrow wraps the lines itself, so that ids can still be copied.
    """
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_cell(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, collapse_padding=True)
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))  # Text: a name in brackets is no markup
    console = Console()
    natural_width = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, natural_width)
    console.print(table, soft_wrap=natural_width > console.size.width)


def shown_time(moment: str | None) -> str | None:
    """A time of the service: for a terminal short and local, otherwise as it came."""
    if moment is None or not sys.stdout.isatty():
        return moment
    return f"{datetime.fromisoformat(moment).astimezone():%m-%d %H:%M}"


def model_of(job: "Job") -> str:
    """The version that scores the job: `NAME@VERSION`."""
    model = job.raw.get("model") or {}
    return f"{model.get('name')}@{model.get('version')}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (
        f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and sys.stdout.isatty() else str(value)
    )
