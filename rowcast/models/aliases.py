"""The aliases of a model: movable names for its versions, stored in one small file in the model's folder."""

import time
from collections.abc import Mapping
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from rowcast.errors import ModelRefused
from rowcast.storage import Storage

LATEST = "latest"
PRODUCTION = "production"

FRESH_SECONDS = 1.0
"""Maximum age of what `read` returns: the gateway reads at each request, and a bucket takes a round trip."""

_CONTENT = TypeAdapter(dict[str, str])


class Aliases:
    """Reads and writes `NAME/aliases.json`, for example `{"latest": "2", "production": "1"}`. Names are valid."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = Lock()
        self._seen: dict[str, tuple[float, dict[str, str]]] = {}

    def read(self, name: str) -> dict[str, str]:
        """Returns alias to version, at most a second old; what this object wrote is visible at once."""
        read_at, known = self._seen.get(name, (float("-inf"), {}))
        if time.monotonic() - read_at < FRESH_SECONDS:
            return dict(known)
        return self.fetch(name)

    def update(self, name: str, changes: Mapping[str, str]) -> None:
        """Adds or moves aliases. If two programs write at the same moment, the last one wins."""
        with self._lock:
            self._write(name, self.fetch(name) | dict(changes))

    def replace(self, name: str, aliases: Mapping[str, str]) -> None:
        """Sets all aliases of a model; those that are not named are removed."""
        with self._lock:
            self._write(name, dict(aliases))

    def remove(self, name: str) -> None:
        """Removes all aliases of a model."""
        with self._lock:
            self._storage.delete(_key(name))
            self._seen.pop(name, None)

    def fetch(self, name: str) -> dict[str, str]:
        """Returns alias to version, read now."""
        try:
            aliases = _CONTENT.validate_json(self._storage.get(_key(name)))
        except FileNotFoundError:
            # Not cached: names come from requests, and a table of all of them would only grow.
            self._seen.pop(name, None)
            return {}
        except ValidationError:
            raise ModelRefused(f"The aliases of the model {name!r} cannot be read: {_key(name)} is damaged.") from None
        self._remember(name, aliases)
        return dict(aliases)

    def _write(self, name: str, aliases: dict[str, str]) -> None:
        self._storage.put(_key(name), _CONTENT.dump_json(dict(sorted(aliases.items())), indent=2) + b"\n")
        self._remember(name, aliases)

    def _remember(self, name: str, aliases: dict[str, str]) -> None:
        self._seen[name] = (time.monotonic(), dict(aliases))


def _key(name: str) -> str:
    return f"{name}/aliases.json"
