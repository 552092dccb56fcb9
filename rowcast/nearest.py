"""The nearest name: what somebody who mistyped a name most likely meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_CHARACTERS = 100
"""Longer names have no nearest: the search compares letters, and takes the longer the more there are."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name closest to `name`, or None where none is close. Case and outer blanks do not count."""
    if len(name) > _CHARACTERS:
        return None
    folded = {_fold(candidate): candidate for candidate in names if len(candidate) <= _CHARACTERS}
    close = get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def or_nearest(name: str, names: Iterable[str], limit: int = 12) -> str:
    """The end of a sentence that there is no `name`: the nearest of `names`, or else what there is."""
    known = sorted(names)
    close = nearest(name, known)
    if close is not None:
        return f"the nearest is {close!r}"
    if not known:
        return "there is none at all"
    shown = ", ".join(repr(candidate) for candidate in known[:limit])
    return f"there is {shown}" + (f" and {len(known) - limit} more" if len(known) > limit else "")


def _fold(name: str) -> str:
    return name.strip().casefold()
