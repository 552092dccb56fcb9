"""The actuals of one file: their keys, and what became true."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pandas as pd
from numpy.typing import NDArray

from rowcast.errors import TooLarge, Unprocessable
from rowcast.jobs.actuals.actuals_query import MAX_ROWS, ActualsQuery
from rowcast.wording.nearest import or_nearest

_ROWS_AT_A_TIME = 50_000


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
        try:
            for table in pd.read_csv(file, dtype=str, na_filter=False, sep=asked.delimiter, chunksize=_ROWS_AT_A_TIME):
                step()
                if missing := [name for name in wanted if name not in table.columns]:
                    nearest = or_nearest(missing[0], [str(name) for name in table.columns])
                    raise Unprocessable.at("file", f"has no column {missing[0]!r}; {nearest}")
                rows += len(table)
                if rows > MAX_ROWS:
                    raise TooLarge("A file of actuals, in rows,", MAX_ROWS, "fixed")
                known = table[wanted][table[truth] != ""]
                without_truth += len(table) - len(known)
                tables.append(known)
        except (ValueError, pd.errors.ParserError) as error:
            raise Unprocessable.at("file", f"is not a CSV with a header line, in UTF-8: {error}") from None
        found = pd.concat(tables) if tables else pd.DataFrame(columns=wanted, dtype=str)
        keys = index_of(found[list(key)])
        is_last = ~keys.duplicated(keep="last")
        truths = found[truth].to_numpy(object)[is_last]
        return cls(keys[is_last], truths, rows, without_truth, int((~is_last).sum()))


def index_of(table: pd.DataFrame) -> pd.Index:
    """Returns the keys of rows: texts, or tuples of texts if the key has several columns."""
    if table.shape[1] == 1:
        keys: pd.Index = pd.Index(table.iloc[:, 0].astype(object))
        return keys
    return pd.Index(list(table.itertuples(index=False, name=None)), tupleize_cols=False)
