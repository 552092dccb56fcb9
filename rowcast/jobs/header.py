"""The header line of an input: the columns' names, and whether a model can work with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rowcast.errors import MissingColumns, Unprocessable
from rowcast.nearest import nearest

_NEAREST_FOR = 20
"""So many missing columns are told their nearest name: the search compares letters, and a header may have thousands."""

_NEAREST_AMONG = 500


@dataclass(frozen=True)
class Header:
    """`line`: its bytes as sent, with the line end, without a byte order mark."""

    line: bytes
    columns: tuple[str, ...]


def check_header(columns: Sequence[str], features: Sequence[str], key: Sequence[str], added: Sequence[str]) -> None:
    """Checks that the input has the model's `features` and the `key` columns, and none that the result adds.

    Raises:
        MissingColumns: naming every feature that is not there.
        Unprocessable: with an entry for each other fault.
    """
    known = set(columns)
    missing = [name for name in features if name not in known]
    if missing:
        raise MissingColumns(missing, {name: _nearest(name, columns) for name in missing[:_NEAREST_FOR]})
    faults = [
        (f"header.{name}", f"stands {count} times in the header")
        for name, count in Counter(columns).items()
        if count > 1
    ]
    faults += [
        (f"header.{name}", "is a column that the result adds; choose another prediction_column")
        for name in added
        if name in known
    ]
    faults += [
        (f"result.{name}", "the result adds two columns of this name")
        for name, count in Counter(added).items()
        if count > 1
    ]
    faults += [
        (f"key.{name}", f"is not in the header{_hint(_nearest(name, columns))}")
        for name in key[:_NEAREST_FOR]
        if name not in known
    ]
    if faults:
        detail = "; ".join(f"{where} {message}" for where, message in faults[:_NEAREST_FOR])
        raise Unprocessable(f"{detail}.", [{"where": where, "message": message} for where, message in faults])


def _nearest(name: str, columns: Sequence[str]) -> str | None:
    """The column most likely meant: first of all one that differs in case, blanks, `_` and `-` alone."""
    for column in columns:
        if _letters(column) == _letters(name):
            return column
    return nearest(name, columns[:_NEAREST_AMONG])


def _letters(name: str) -> str:
    return "".join(name.casefold().split()).replace("_", "").replace("-", "")


def _hint(close: str | None) -> str:
    return f"; the nearest column is {close!r}" if close else ""
