"""The moves of a model's aliases: when and by which key each was moved, and which version to go back to."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rowcast.errors import Unavailable
from rowcast.logs import logger
from rowcast.storage import Storage

KEPT_MOVES = 50
"""How many moves of each alias are kept."""


class AliasMove(BaseModel):
    """One move of one alias."""

    model_config = ConfigDict(frozen=True)

    at: str = Field(description="RFC 3339, UTC.")
    alias: str = Field(description="The alias that moved.")
    before: str | None = Field(description="The version that it named before; None if it did not exist.")
    version: str | None = Field(description="The version that it named from then on; None if it was removed.")
    by: str = Field(default="", description="Name of the API key, or of the user of the machine; empty if unknown.")
    is_rollback: bool = Field(default=False, description="Whether it went back to an earlier version.")


_CONTENT = TypeAdapter(list[AliasMove])


class AliasMoves:
    """Reads and writes `NAME/alias_moves.json`, the oldest move first. Names are valid."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, name: str) -> list[AliasMove]:
        """Returns the moves that are kept, read now. A file that is damaged has none."""
        return _parsed(self._content(name))

    def add(self, name: str, moves: Sequence[AliasMove]) -> None:
        """Adds moves that have been made. If they cannot be stored, only the log has them."""
        try:
            while moves:
                content = self._content(name)
                kept = _kept([*_parsed(content), *moves])
                if self._storage.swap(_key(name), content, _CONTENT.dump_json(kept, indent=1) + b"\n"):
                    return
        except Unavailable as error:
            made = [move.model_dump() for move in moves]
            logger("models").warning("alias_moves_not_stored", model=name, moves=made, reason=error.detail)

    def remove(self, name: str) -> None:
        """Removes the moves of a model."""
        self._storage.delete(_key(name))

    def _content(self, name: str) -> bytes | None:
        try:
            return self._storage.get(_key(name))
        except FileNotFoundError:
            return None


def moves_between(
    before: dict[str, str], after: dict[str, str], by: str, *, is_rollback: bool = False
) -> list[AliasMove]:
    """Returns the moves that lead from some aliases to others."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        AliasMove(
            at=now, alias=alias, before=before.get(alias), version=after.get(alias), by=by, is_rollback=is_rollback
        )
        for alias in sorted(before.keys() | after.keys())
        if before.get(alias) != after.get(alias)
    ]


def earlier_version(
    moves: Sequence[AliasMove], alias: str, current: str | None, existing: Collection[str]
) -> str | None:
    """Returns the version that an alias named before `current`, or None if none is known that still exists.

    A rollback undoes a move, so that another one goes back further: after 1, 2, 3, a rollback leads to 2, and the next
    one to 1.
    """
    path: list[str | None] = []
    for move in moves:
        if move.alias != alias:
            continue
        if not path or path[-1] != move.before:  # a move is missing here
            path.append(move.before)
        if move.is_rollback and move.version in path:
            while path[-1] != move.version:
                path.pop()
        else:
            path.append(move.version)
    if path and path[-1] == current:
        path.pop()
    return next((one for one in reversed(path) if one in existing and one != current), None)


def _kept(moves: Sequence[AliasMove]) -> list[AliasMove]:
    """Returns the newest `KEPT_MOVES` of each alias, in their order."""
    kept: list[AliasMove] = []
    counts: dict[str, int] = {}
    for move in reversed(moves):
        counts[move.alias] = counts.get(move.alias, 0) + 1
        if counts[move.alias] <= KEPT_MOVES:
            kept.append(move)
    return kept[::-1]


def _parsed(content: bytes | None) -> list[AliasMove]:
    try:
        return _CONTENT.validate_json(content or b"[]")
    except ValidationError:
        return []


def _key(name: str) -> str:
    return f"{name}/alias_moves.json"
