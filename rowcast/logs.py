"""Logs: one event per line on stderr, as JSON or as text for a console. Each program calls `set_up` once."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Any, TextIO, cast

from rowcast.settings import Settings

# structlog imports rich if it can, for tracebacks that we do not use. That takes a twelfth of the start of a gateway
# and 5 MB. Only this import does not find rich; the command line uses it.
_without_rich = sys.modules.setdefault("rich", cast(Any, None)) is None
import structlog  # noqa: E402

if _without_rich:
    del sys.modules["rich"]


def set_up(settings: Settings, program: str, stream: TextIO = sys.stderr) -> None:
    """Sends structlog's events and the standard library's log records to one stream, in one format.

    Each line of JSON has `time` (RFC 3339, UTC), `level`, `program` and `event`. A console shows the same events in
    short lines, with local times. Rowcast's events do not go through `logging`, which would take three times as long.
    """
    level = settings.log_level.upper()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        lambda _, __, event: {"program": program} | event,
    ]
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not stream.isatty())
    renderer: Any = structlog.processors.JSONRenderer() if as_json else _ConsoleRenderer(colors=stream.isatty())
    lenient = cast(TextIO, _Lenient(stream))
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda name="rowcast": _Logger(lenient, name),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(lenient)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("celery", "kombu", "amqp", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def logger(name: str) -> Any:
    """Returns a structlog logger with the name `rowcast.NAME`."""
    return structlog.get_logger(f"rowcast.{name}")


@contextmanager
def logging_about(fields: Mapping[str, Any]) -> Iterator[None]:
    """Adds fields to every line that is logged in the block, whichever module logs it.

    The fields of a block around it are absent meanwhile: they are of the work that is interrupted.
    """
    outer = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**fields)
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**outer)


def with_present_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function for a new greenlet, whose lines have the fields that are bound now. gevent copies none."""
    return partial(copy_context().run, function)


class _Logger(structlog.WriteLogger):
    """Writes lines, and has a name, as a logger of the standard library has."""

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self.name = name


class _Lenient:
    """Ignores the stream's errors: a full log disk or a closed pipe must not make a request fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


_LEFT_OUT = (
    "attempt",
    "bytes",
    "jobs",
    "kind",
    "logger",
    "outcome",
    "replayed",
    "request_id",
    "request_ids",
    "trace_id",
    "trace_ids",
    "worker",
)
"""Fields that only JSON shows; they help to search through logs."""

_PHRASES = {
    "request": "{method} {path} {status}",
    "job_accepted": "job {job} accepted: {rows} rows",
    "chunk_scored": "job {job} chunk {chunk}: {rows} rows",
    "gateway_is_open": "{detail}",
}
"""Sentences in which a console shows the most frequent events, so that a line fits into 80 columns."""

_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}  # yellow and red


class _ConsoleRenderer:
    """Formats an event for a console, for example `18:01:15 gateway  POST /predict 202 in 3.2 ms`."""

    def __init__(self, *, colors: bool) -> None:
        self._colors = colors

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        fields = {name: value for name, value in event.items() if name not in _LEFT_OUT}
        time = datetime.fromisoformat(fields.pop("time")).astimezone()
        level, program, exception = fields.pop("level"), fields.pop("program"), fields.pop("exception", None)
        line = f"{time:%H:%M:%S} {program:<8} {self._level(level)}{_sentence(fields)}"
        return line if exception is None else f"{line}\n{exception}"

    def _level(self, level: str) -> str:
        if level in ("debug", "info"):
            return ""
        color = _COLORS.get(level) if self._colors else None
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
