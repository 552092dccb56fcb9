"""A log line as text for people: short sentences, which fit into 80 columns."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_LEFT_OUT = frozenset(
    {
        *("attempt", "bytes", "jobs", "kind", "logger", "outcome", "replayed", "worker"),
        *("request_id", "request_ids", "trace_id", "trace_ids"),
    }
)
"""Fields that only JSON shows; they help to search through logs."""

_PHRASES = {
    "request": "{method} {path} {status}",
    "job_accepted": "job {job} accepted: {rows} rows",
    "chunk_scored": "job {job} chunk {chunk}: {rows} rows",
    "gateway_is_open": "{detail}",
}
"""Sentences in which a console shows the most frequent events."""

_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}  # yellow and red


def console_text(event: Mapping[str, Any], *, colors: bool) -> str:
    """Returns a log line without its time, for example `gateway  POST /predict 202 in 3.2 ms`."""
    fields = {name: value for name, value in event.items() if name not in _LEFT_OUT and name != "time"}
    level, program, exception = fields.pop("level"), fields.pop("program"), fields.pop("exception", None)
    line = f"{program:<8} {_level(level, colors=colors)}{_sentence(fields)}"
    return line if exception is None else f"{line}\n{exception}"


def _level(level: str, *, colors: bool) -> str:
    if level in ("debug", "info"):
        return ""
    color = _COLORS.get(level) if colors else None
    return f"{color}{level}:\x1b[0m " if color else f"{level}: "


def _sentence(fields: dict[str, Any]) -> str:
    """Returns the event in words: its sentence in `_PHRASES`, or its name and its fields."""
    name, seconds = str(fields.pop("event")), fields.pop("seconds", None)
    if name in _PHRASES:
        with suppress(KeyError):  # an event of a library that has the same name and other fields
            said = _PHRASES[name].format_map(fields)
            return f"{said} in {_duration(seconds)}" if name == "request" and seconds is not None else said
    reason = fields.pop("reason", None)
    words = [name.replace("_", " ") if " " not in name else name]  # a library's event is a sentence with spaces
    if seconds is not None:
        words.append(f"in {_duration(seconds)}")
    words += [f"{field}={value}" for field, value in fields.items() if value not in (None, False)]
    return " ".join(words) + (f": {reason}" if reason else "")


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1000 * seconds:.1f} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"
