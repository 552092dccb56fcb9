"""The nearest name: a guess at what a mistyped name was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

_CHARACTERS = 100
"""Longer names are never compared, because the search takes too long for them."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Returns the name closest to `name`, or None if none is close. Case and outer blanks are ignored."""
    if len(name) > _CHARACTERS:
        return None
    folded = {_fold(candidate): candidate for candidate in names if len(candidate) <= _CHARACTERS}
    close = get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def if_nearest(name: str, names: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name, for example "; the nearest is 'age'". It may be empty."""
    close = nearest(name, names)
    return f"; the nearest is {close!r}" if close else ""


def or_nearest(name: str, names: Iterable[str], limit: int = 12) -> str:
    """Returns the end of a message that `name` does not exist, for example "the nearest is 'age'".

    If no name is close, it lists at most `limit` of `names`.
    """
    known = sorted(names)
    close = nearest(name, known)
    if close is not None:
        return f"the nearest is {close!r}"
    if not known:
        return "none exist"
    shown = ", ".join(repr(candidate) for candidate in known[:limit])
    return f"these exist: {shown}" + (f" and {len(known) - limit} more" if len(known) > limit else "")


def _fold(name: str) -> str:
    return name.strip().casefold()
