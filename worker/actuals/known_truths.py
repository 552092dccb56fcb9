"""The actuals of one file: their keys, and what became true."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pandas as pd
from numpy.typing import NDArray

from rowcast.errors import TooLarge, Unprocessable
from rowcast.jobs.actuals.actuals_query import MAX_ROWS, ActualsQuery
from rowcast.wording.nearest import or_nearest

_ROWS_AT_A_TIME, _CELLS_AT_A_TIME = 50_000, 5_000_000


@dataclass(frozen=True)
class KnownTruths:
    """The rows of a file that have a truth, each key once."""

    #: The keys; of several columns as tuples.
    keys: pd.Index
    #: What became true, as text, shape (rows,).
    truths: NDArray[Any]
    #: Rows of the whole file.
    rows: int
    #: Rows without a truth.
    without_truth: int
    #: Rows whose key a later row has, too.
    repeated: int

    @classmethod
    def read(cls, file: BinaryIO, key: Sequence[str], asked: ActualsQuery, step: Callable[[], None]) -> "KnownTruths":
        """Reads a CSV, some rows at a time. Cells are texts, as they are written.

        Raises:
            Unprocessable: a column is missing, or it is not a CSV of text in UTF-8. TooLarge: it has too many rows.
        """
        truth, rows, without_truth, tables = asked.truth, 0, 0, []
        wanted = [*key, truth]
        if len(set(wanted)) < len(wanted):
            raise Unprocessable.at("key", f"and truth have to be different columns, and are {', '.join(wanted)}")
        try:
            for table in _tables(file, wanted, asked.delimiter):
                step()
                rows += len(table)
                if rows > MAX_ROWS:
                    raise TooLarge("A file of actuals, in rows,", MAX_ROWS, "fixed")
                known = table[table[truth] != ""]
                without_truth += len(table) - len(known)
                tables.append(known)
        except pd.errors.ParserWarning:
            raise Unprocessable.at("file", "has rows with more fields than its header line") from None
        except (ValueError, pd.errors.ParserError) as error:
            raise Unprocessable.at("file", f"is not a CSV with a header line, in UTF-8: {error}") from None
        found = pd.concat(tables) if tables else pd.DataFrame(columns=wanted, dtype=str)
        keys = index_of(found[list(key)])
        is_last = ~keys.duplicated(keep="last")
        truths = found[truth].to_numpy(object)[is_last]
        return cls(keys[is_last], truths, rows, without_truth, int((~is_last).sum()))


def _tables(file: BinaryIO, wanted: Sequence[str], delimiter: str) -> Iterator[pd.DataFrame]:
    """Yields the wanted columns, some rows at a time. With longer rows, pandas would make the first column the index.

    Raises:
        Unprocessable: a column is missing. ParserWarning, ParserError: a row has more fields than the header line.
    """
    names = [str(name) for name in pd.read_csv(file, dtype=str, sep=delimiter, nrows=0).columns]
    if missing := [name for name in wanted if name not in names]:
        raise Unprocessable.at("file", f"has no column {missing[0]!r}; {or_nearest(missing[0], names)}")
    file.seek(0)
    at_a_time = max(1, min(_ROWS_AT_A_TIME, _CELLS_AT_A_TIME // len(names)))
    how: dict[str, Any] = {"dtype": str, "na_filter": False, "sep": delimiter, "index_col": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        for table in pd.read_csv(file, chunksize=at_a_time, **how):
            yield table[list(wanted)]


def index_of(table: pd.DataFrame) -> pd.Index:
    """Returns the keys of rows: texts, or tuples of texts if the key has several columns."""
    if table.shape[1] == 1:
        keys: pd.Index = pd.Index(table.iloc[:, 0].astype(object))
        return keys
    return pd.Index(list(table.itertuples(index=False, name=None)), tupleize_cols=False)
