"""The shadows of a model's aliases, stored in one small file in the model's folder."""

import time
from collections.abc import Container
from contextlib import suppress
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rowcast.errors import Unavailable
from rowcast.storage import Storage

FRESH_SECONDS = 1.0
"""Maximum age of what `read` returns."""


class AliasShadow(BaseModel):
    """The shadow of one alias."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(description="The version that scores besides the alias's: `NAME@VERSION`.")
    share: float = Field(description="Share of the alias's jobs that it scores, 0 to 1.")
    at: str = Field(description="When it was set: RFC 3339, UTC.")
    by: str = Field(default="", description="Name of the API key, or of the user of the machine; empty if unknown.")


_CONTENT = TypeAdapter(dict[str, AliasShadow])


class AliasShadows:
    """Reads and writes `NAME/shadows.json`: alias → shadow. The model exists, and its name is valid.

    No job may fail because of it. So a file that is damaged has no shadow, and one that cannot be read has those that
    were read last.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = Lock()
        self._seen: dict[str, tuple[float, dict[str, AliasShadow]]] = {}

    def read(self, name: str) -> dict[str, AliasShadow]:
        """Returns alias to shadow, at most a second old; what this object wrote is visible at once."""
        read_at, known = self._seen.get(name, (float("-inf"), {}))
        if time.monotonic() - read_at >= FRESH_SECONDS:
            with suppress(Unavailable):
                known = _parsed(self._content(name))
            self._seen[name] = (time.monotonic(), known)
        return dict(known)

    def set(self, name: str, alias: str, shadow: AliasShadow | None) -> None:
        """Sets the shadow of an alias, or removes it (None). If programs do so at the same moment, no change is lost.

        Raises:
            Unavailable: the file cannot be written.
        """
        with self._lock:
            while True:
                content = self._content(name)
                found = _parsed(content)
                found.pop(alias, None)
                if shadow is not None:
                    found[alias] = shadow
                written = _CONTENT.dump_json(dict(sorted(found.items())), indent=2) + b"\n"
                if written == content or self._storage.swap(_key(name), content, written):
                    break
            self._seen[name] = (time.monotonic(), found)

    def keep_those_of(self, name: str, aliases: Container[str]) -> None:
        """Removes the shadows of aliases that a model has no more."""
        for alias in self.read(name):
            if alias not in aliases:
                self.set(name, alias, None)

    def remove(self, name: str) -> None:
        """Removes all shadows of a model's aliases."""
        with self._lock:
            self._storage.delete(_key(name))
            self._seen.pop(name, None)

    def _content(self, name: str) -> bytes | None:
        try:
            return self._storage.get(_key(name))
        except FileNotFoundError:
            return None


def _parsed(content: bytes | None) -> dict[str, AliasShadow]:
    try:
        return _CONTENT.validate_json(content or b"{}")
    except ValidationError:
        return {}


def _key(name: str) -> str:
    return f"{name}/shadows.json"
