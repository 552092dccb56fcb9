"""The Lua scripts beside this module, each with the names, states, hints and times that they share in front."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rowcast.errors import PREFIX
from rowcast.jobs.records import redis_keys
from rowcast.jobs.records.celery_queues import BATCH, CHUNK_TASK, SINGLE, SINGLES_TASK, hint, make_app
from rowcast.jobs.records.redis_client import Connection
from rowcast.settings import Settings

_FOLDER = Path(__file__).parent / "lua"
_USES = {"commit_chunk": ["summary", "ending"], "submit": ["ending"]}

RESEND_MS = 5_000
"""How long a chunk or a row may wait for a lease before upkeep checks whether it still waits in its line."""

TOLD_BYTES = 1_000
"""The longest outcome of a row that is told to who waits; who waits for a longer one reads it from the record."""

LONGEST_PAUSE_SECONDS = 30.0
"""Between attempts where the store, the registry or Redis is away."""

STRIKES_ALLOWED = 10
"""Strikes against one chunk or row that fail its job: what kills whoever touches it must end, too."""

STRIKES_OF_DEATH = 1
"""For a lease whose holder died or fell silent: mostly that is not the chunk's fault."""

STRIKES_OF_ERROR = 4
"""For a lease that ended with an error of the chunk's own; the third one is the last."""


class Scripts:
    """`scripts("submit", *arguments)` runs `lua/submit.lua` on the server, atomically."""

    def __init__(self, redis: Connection, settings: Settings) -> None:
        app = make_app(settings)
        lease_ms, pause_ms = int(settings.lease_seconds * 1000), int(LONGEST_PAUSE_SECONDS * 1000)
        self._redis = redis
        self._shared = "\n".join(
            [
                redis_keys.lua(),
                f"local HINT_BATCH = {_literal(hint(app, CHUNK_TASK, BATCH))}",
                f"local HINT_SINGLE = {_literal(hint(app, SINGLES_TASK, SINGLE))}",
                f"local RESEND_MS = {RESEND_MS}",
                f"local LEASE_MS, LONGEST_WAIT_MS = {lease_ms}, {max(lease_ms, pause_ms) + RESEND_MS}",
                f"local TOLD_BYTES = {TOLD_BYTES}",
                f"local STRIKES_ALLOWED, STRIKES_OF_DEATH = {STRIKES_ALLOWED}, {STRIKES_OF_DEATH}",
                f"local PROBLEM = {PREFIX!r}",
                f"local RETENTION_MS = {int(settings.retention * 1000)}",
                _source("prelude"),
            ]
        )
        self._loaded: dict[str, Callable[..., Any]] = {}

    def __call__(self, name: str, *arguments: str | bytes | float) -> Any:
        """Runs one script; numbers and text arrive as text, and text comes back as bytes."""
        if name not in self._loaded:
            used = [_source(other) for other in _USES.get(name, [])]
            self._loaded[name] = self._redis.register_script("\n".join([self._shared, *used, _source(name)]))
        return self._loaded[name](keys=[], args=list(arguments))


def _source(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


def _literal(text: str) -> str:
    return f"[==[{text}]==]"
