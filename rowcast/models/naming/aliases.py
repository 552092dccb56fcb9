"""The aliases of a model: movable names for its versions, stored in one small file in the model's folder."""

import time
from collections.abc import Callable, Mapping
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from rowcast.errors import AliasMoved, ModelRefused
from rowcast.models.naming.alias_moves import AliasMove, AliasMoves, moves_between
from rowcast.storage import Storage

LATEST = "latest"
PRODUCTION = "production"

ANY = "*"
"""In place of the version that an alias is expected to name: any, or none (as `If-Match: *`)."""

FRESH_SECONDS = 1.0
"""Maximum age of what `read` returns: the gateway reads at each request, and a bucket takes a round trip."""

_CONTENT = TypeAdapter(dict[str, str])


class Aliases:
    """Reads and writes `NAME/aliases.json`, for example `{"latest": "2", "production": "1"}`. Names are valid.

    If several programs change aliases at the same moment, no change is lost. Each is added to the model's moves.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._moves = AliasMoves(storage)
        self._lock = Lock()
        self._seen: dict[str, tuple[float, dict[str, str]]] = {}

    def read(self, name: str) -> dict[str, str]:
        """Returns alias to version, at most a second old; what this object wrote is visible at once."""
        read_at, known = self._seen.get(name, (float("-inf"), {}))
        if time.monotonic() - read_at < FRESH_SECONDS:
            return dict(known)
        return self.fetch(name)

    def moves(self, name: str) -> list[AliasMove]:
        """Returns the moves of the model's aliases, the oldest first."""
        return self._moves.read(name)

    def update(self, name: str, changes: Mapping[str, str], by: str = "") -> None:
        """Adds or moves aliases. `by` is the name of a key or a user."""
        self._change(name, lambda aliases: aliases | dict(changes), by)

    def move(
        self, name: str, alias: str, version: str, *, expected: str | None, by: str = "", is_rollback: bool = False
    ) -> None:
        """Moves one alias, if it names the version `expected` now: None is that it does not exist, `ANY` is any.

        Raises:
            AliasMoved: it names another version.
        """

        def moved(aliases: dict[str, str]) -> dict[str, str]:
            current = aliases.get(alias)
            if expected not in (ANY, current):
                raise AliasMoved(name, alias, expected, current)
            return aliases | {alias: version}

        self._change(name, moved, by, is_rollback=is_rollback)

    def replace(self, name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Sets all aliases of a model to what `change` makes of the present ones. It may be called several times."""
        self._change(name, change, "")

    def remove(self, name: str) -> None:
        """Removes all aliases of a model, and their moves."""
        with self._lock:
            self._storage.delete(_key(name))
            self._moves.remove(name)
            self._seen.pop(name, None)

    def fetch(self, name: str) -> dict[str, str]:
        """Returns alias to version, read now."""
        content = self._content(name)
        if content is None:
            # Not cached: names come from requests, and a table of all of them would only grow.
            self._seen.pop(name, None)
            return {}
        aliases = _parsed(name, content)
        self._remember(name, aliases)
        return dict(aliases)

    def _change(
        self, name: str, change: Callable[[dict[str, str]], dict[str, str]], by: str, *, is_rollback: bool = False
    ) -> None:
        """Writes what `change` makes of the aliases, if no other program has written meanwhile; else tries again."""
        with self._lock:
            written: bytes | None = None
            while True:
                content = self._content(name)
                if written is not None and content == written:
                    break  # the answer to the write was lost
                before = _parsed(name, content)
                after = change(dict(before))
                moves = moves_between(before, after, by, is_rollback=is_rollback)
                written = _CONTENT.dump_json(dict(sorted(after.items())), indent=2) + b"\n"
                if not moves or self._storage.swap(_key(name), content, written):
                    break
            self._remember(name, after)
            self._moves.add(name, moves)

    def _content(self, name: str) -> bytes | None:
        try:
            return self._storage.get(_key(name))
        except FileNotFoundError:
            return None

    def _remember(self, name: str, aliases: dict[str, str]) -> None:
        self._seen[name] = (time.monotonic(), dict(aliases))


def _parsed(name: str, content: bytes | None) -> dict[str, str]:
    try:
        return {} if content is None else _CONTENT.validate_json(content)
    except ValidationError:
        raise ModelRefused(f"The aliases of the model {name!r} cannot be read: {_key(name)} is damaged.") from None


def _key(name: str) -> str:
    return f"{name}/aliases.json"
