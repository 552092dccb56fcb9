"""Logs: one event a line, as JSON or for a console, on stderr; set up once at the entry point of each program."""

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from rowcast.settings import Settings


def set_up(settings: Settings, program: str, stream: TextIO = sys.stderr) -> None:
    """Sends structlog's events and the standard library's records to one stream, in one form.

    Every line has `time` (RFC 3339, UTC), `level`, `program` and `event`. Our own events do not go through `logging`,
    which would take three times as long over them.
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
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time")
    )
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
    """A structlog logger called `rowcast.NAME`."""
    return structlog.get_logger(f"rowcast.{name}")


class _Logger(structlog.WriteLogger):
    """Writes lines, and has a name for them, as the standard library's has."""

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self.name = name


class _Lenient:
    """The stream, without its errors: no request fails because a disk of logs is full, or their reader is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
