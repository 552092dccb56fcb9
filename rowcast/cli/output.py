"""Output: sentences and errors on standard error, tables and JSON on standard output."""

import json
import sys
from collections.abc import Iterable, Sequence
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
    """A table on standard output: aligned for a terminal, tabs between the cells otherwise."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_cell(cell) for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE)
    table.columns[0].no_wrap = True  # names and ids, which people copy
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))  # Text: a name in brackets is no markup
    Console().print(table)


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
