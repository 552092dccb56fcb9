"""Output: sentences and errors on standard error, tables and JSON on standard output."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from rowcast.cli.option_names import flag, in_words_of_commands
from rowcast.jobs.option_table import OPTIONS

if TYPE_CHECKING:
    from rowcast.client import Job


def prepare_streams() -> None:
    """Makes both outputs escape what their encoding lacks, for example an umlaut in ASCII.

    A stream that the parent has closed is None in Python, and `print` would write its errors to standard output. They
    are written nowhere then, but a result for a closed standard output is an error.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: str) -> None:
    """Prints a sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def fail(error: Exception) -> None:
    """Prints an error on standard error, and below it each fault of a refused request."""
    detail = str(getattr(error, "detail", error))
    say(f"rowcast: {in_words_of_commands(detail)}")
    for fault in getattr(error, "errors", None) or []:
        if str(fault.get("message", "")) not in detail:
            say(f"  {_place(fault)}: {in_words_of_commands(str(fault.get('message')))}")


def _place(fault: Mapping[str, Any]) -> str:
    """Returns what a fault is about: for example `row 3`, or an option as a command has it."""
    where = str(fault.get("where"))
    return flag(where) if where in OPTIONS else where


def print_json(value: object, stream: TextIO | None = None) -> None:
    """Prints a JSON document, on standard output if no stream is given. Escapes what is not ASCII, except in UTF-8."""
    stream = stream or sys.stdout
    is_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
    print(json_text(value, is_ascii=not is_utf8), file=stream)


def json_text(value: object, *, is_ascii: bool = False) -> str:
    """Returns a JSON document as text for people."""
    return json.dumps(value, ensure_ascii=is_ascii, indent=2)


def json_line(value: object) -> str:
    """Returns a JSON document as one line, which any encoding can write."""
    return json.dumps(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table on standard output: aligned on a terminal, otherwise without header and with tabs between cells.

    No cell is shortened: a narrow terminal wraps the lines itself, so that ids can be copied.
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
        table.add_row(
            *(Text(_cell(cell)) for cell in row)
        )  # Text, so that rich does not read a name in brackets as markup
    console = Console()
    natural_width = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, natural_width)
    console.print(table, soft_wrap=natural_width > console.size.width)


def short_time(moment: str | None) -> str | None:
    """Returns a time: unchanged, or on a terminal short and in local time, for example `05-31 14:02`."""
    if moment is None or not sys.stdout.isatty():
        return moment
    return f"{datetime.fromisoformat(moment).astimezone():%m-%d %H:%M}"


def model_of(job: "Job") -> str:
    """Returns the model version that scores the job, as `NAME@VERSION`; two with a comma."""
    return ",".join(f"{one.get('name')}@{one.get('version')}" for one in models_in(job.raw))


def models_in(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the models that a job or a check names: one or two. An older service names only one."""
    return list(document.get("models") or [document.get("model") or {}])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return (
        f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and sys.stdout.isatty() else str(value)
    )
