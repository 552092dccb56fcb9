"""Runs Lua scripts by their name."""

from collections.abc import Iterable, Sequence
from typing import Any

from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.scripts.lua_source import LuaSource
from rowcast.settings import Settings

Argument = str | bytes | float


class ScriptRunner:
    """Has the text of each script, and loads it into the server at its first call."""

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        #: The client that the scripts run on.
        self.redis = redis
        self._source = LuaSource(settings)
        self._loaded: dict[str, Any] = {}

    def _run(self, name: str, *arguments: Argument) -> Any:
        """Runs `lua/NAME.lua`. Numbers and text arrive as text, and text comes back as bytes."""
        with redis_errors(self.redis):
            return self._script(name)(keys=[], args=list(arguments))

    def _run_each(self, name: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """Runs `lua/NAME.lua` for the arguments of each call, in one round trip, and returns the answers in order."""
        with redis_errors(self.redis), self.redis.pipeline(transaction=False) as pipe:
            for arguments in calls:
                self._script(name)(keys=[], args=list(arguments), client=pipe)
            answers: list[Any] = pipe.execute()
        return answers

    def _script(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self.redis.register_script(self._source.of(name))
        return self._loaded[name]
