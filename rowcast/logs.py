"""Logs: one event per line on stderr, as JSON or as text for a console. Each program calls `set_up` once."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO, cast

from rowcast.log_lines.console_text import console_text
from rowcast.log_lines.kept_lines import KeptLines
from rowcast.settings import Settings

# structlog imports rich if it can, for tracebacks that we do not use. That takes a twelfth of the start of a gateway
# and 5 MB. Only this import does not find rich; the command line uses it.
_without_rich = sys.modules.setdefault("rich", cast(Any, None)) is None
import structlog  # noqa: E402

if _without_rich:
    del sys.modules["rich"]

_is_library: ContextVar[bool] = ContextVar("is_library", default=False)
"""Whether a script calls what is logged (`logging_as_library`)."""


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
    lenient = cast(TextIO, _Lenient(stream))
    render = structlog.processors.JSONRenderer() if as_json else partial(_console, colors=stream.isatty())
    renderer = _kept(render, program, settings, lenient)
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
    for noisy in ("celery", "kombu", "amqp", "httpx", "httpcore", "urllib3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


@contextmanager
def logging_as_library() -> Iterator[None]:
    """Sends what is logged in the block to `logging`, from warnings on, unless the process has set up structlog.

    Rowcast is a library there: it prints nothing between the lines of a script, and sets nothing up for it.
    """
    token = _is_library.set(True)
    try:
        yield
    finally:
        _is_library.reset(token)


def logger(name: str) -> Any:
    """Returns a structlog logger with the name `rowcast.NAME`."""
    if _is_library.get() and not structlog.is_configured():
        return structlog.wrap_logger(
            logging.getLogger(f"rowcast.{name}"),
            processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        )
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


def _console(_logger: Any, _method: str, event: MutableMapping[str, Any], *, colors: bool) -> str:
    """Formats an event for a console, for example `18:01:15 gateway  POST /predict 202 in 3.2 ms`."""
    time = datetime.fromisoformat(event["time"]).astimezone()
    return f"{time:%H:%M:%S} {console_text(event, colors=colors)}"


def _kept(render: Any, program: str, settings: Settings, stream: TextIO) -> Any:
    """Returns `render`, which then also keeps each line as JSON if the settings name a folder.

    If the folder cannot be used, that is said once, and the program goes on.
    """
    if settings.log_folder is None:
        return render
    try:
        kept = KeptLines(Path(settings.log_folder), program)
    except OSError as error:
        print(f"Log lines are not kept in {settings.log_folder}: {error.strerror}.", file=stream)
        return render
    as_json = structlog.processors.JSONRenderer()
    is_json = isinstance(render, structlog.processors.JSONRenderer)

    def render_and_keep(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        shown = str(render(logger, method, event))
        kept.write(shown if is_json else str(as_json(logger, method, event)))
        return shown

    return render_and_keep
