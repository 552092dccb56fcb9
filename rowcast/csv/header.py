"""The header line of a file: the columns' names as pandas gives them, and whether a model can work with them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rowcast.csv import scan
from rowcast.errors import ColumnClash, MissingColumns, UnknownKeyColumn, Unprocessable
from rowcast.wording.nearest import nearest

_NEAREST_FOR = 20
"""Maximum missing columns that get a nearest name: the search is slow, and a header may have thousands."""

_NEAREST_AMONG = 500


@dataclass(frozen=True)
class Header:
    """The header line and what it says."""

    line: bytes
    """Its bytes as sent, with the line end, without a byte order mark."""
    columns: tuple[str, ...]
    """The names as `column_names` gives them: no two are the same."""
    delimiter: str = ","
    """What separates its fields; empty if the file was not CSV."""

    @classmethod
    def read(cls, line: bytes, fields: Sequence[bytes], delimiter: str) -> "Header":
        """Returns the header of this line, which has these fields."""
        return cls(line, tuple(column_names(fields)), delimiter)


def column_names(fields: Sequence[bytes]) -> list[str]:
    """Returns the columns' names as `pandas.read_csv` 3.1 gives them.

    A name that stands in the header again gets `.1`, `.2` and so on, unless there is such a name already. A field
    without a name at place N (from 0) is called `Unnamed: N`.
    """
    texts = [scan.text(field) for field in fields]
    unnamed = [place for place, text in enumerate(texts) if not text]
    names = [text or f"Unnamed: {place}" for place, text in enumerate(texts)]
    present = Counter(names)
    if len(present) == len(names):
        return names
    uses: Counter[str] = Counter()
    for place in [*(place for place, text in enumerate(texts) if text), *unnamed]:
        given = name = names[place]
        count = uses[name]
        while count > 0:
            uses[given] = count + 1
            name = f"{given}.{count}"
            count = count + 1 if present[name] else uses[name]
        names[place] = name
        present[given] -= 1
        present[name] += 1
        uses[name] += 1
    return names


def check_header(
    header: Header,
    features: Sequence[str],
    key: Sequence[str],
    added: Sequence[str],
    needed_by: Callable[[str], Sequence[str]] | None = None,
    *,
    are_renamed: bool = False,
) -> None:
    """Checks that the file has the model's `features` and the `key` columns, and none that the result adds.

    If two models predict, `needed_by` returns the names of those that need a column. `are_renamed`: the request itself
    names the added columns, in the option `columns`.

    Raises:
        MissingColumns: naming every feature that is not there.
        ColumnClash, UnknownKeyColumn: with an entry for each fault of both kinds.
    """
    columns = header.columns
    known = set(columns)
    missing = [name for name in features if name not in known]
    if missing:
        nearest_names = {name: _nearest(name, columns) for name in missing[:_NEAREST_FOR]}
        delimiter = "tab" if header.delimiter == "\t" else header.delimiter
        needing = {name: needed_by(name) for name in missing} if needed_by else {}
        raise MissingColumns(missing, nearest_names, delimiter, needing)
    place, remedy = "header", "is a column that the result adds; choose another prediction_column"
    if are_renamed:
        place, remedy = "columns", "is a column of the file; choose another name for the added column"
    faults: list[tuple[type[Unprocessable], str, str]] = [
        (ColumnClash, f"{place}.{name}", remedy) for name in added if name in known
    ]
    faults += [
        (ColumnClash, f"result.{name}", "the result adds two columns of this name")
        for name, count in Counter(added).items()
        if count > 1
    ]
    faults += [
        (UnknownKeyColumn, f"key.{name}", f"is not in the header{_suggestion(_nearest(name, columns))}")
        for name in key[:_NEAREST_FOR]
        if name not in known
    ]
    if faults:
        detail = "; ".join(f"{where} {message}" for _, where, message in faults[:_NEAREST_FOR])
        kind = faults[0][0]
        raise kind(f"{detail}.", [{"where": where, "message": message} for _, where, message in faults])


def _nearest(name: str, columns: Sequence[str]) -> str | None:
    """Returns the column most likely meant: preferably one that differs only in case, blanks, `_` and `-`."""
    for column in columns:
        if _letters(column) == _letters(name):
            return column
    return nearest(name, columns[:_NEAREST_AMONG])


def _letters(name: str) -> str:
    return "".join(name.casefold().split()).replace("_", "").replace("-", "")


def _suggestion(close: str | None) -> str:
    return f"; the nearest column is {close!r}" if close else ""
