"""Tables on which a transformer might differ: its own cells, and cells that are unknown, missing, infinite or odd."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rowcast.trees.distinct.cellwise_steps import steps_of
from rowcast.trees.evaluation.ensemble import Declined

_ROWS = 500
_MOST_VALUES = 30
"""Different cells of a column, so that each of them comes again in the rows."""
_SHARE_OF_ODD_CELLS = 0.04

_TEXTS: Sequence[Any] = ["", " ", "nan", "None", "12", "1e400", "-0.0", "\xe9", "never seen " * 30]
_NUMBERS: Sequence[Any] = [0.0, -0.0, 0.5, 5e-324, 1e308, -1e308, 123456789.0, -7.0]
_INTEGERS: Sequence[Any] = [0, 1, 100]
_KINDS: Sequence[tuple[str, Sequence[Any], Sequence[Any], Sequence[Any]]] = [
    ("unknown cells", _TEXTS, _NUMBERS, _INTEGERS),
    ("missing cells", [np.nan], [np.nan], []),
    ("None", [None], [], []),
    ("infinite cells", ["inf"], [np.inf, -np.inf], []),
]
"""Each with the cells for columns of text, of floats and of whole numbers."""


def odd_tables(table: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """Yields tables made from a DataFrame or an array, each with a name.

    They have the cells of each column in another order, and then some odd ones between them. Columns of categories,
    dates and booleans keep their own cells.
    """
    random = np.random.default_rng(seed)
    first = table.iloc[:_MOST_VALUES] if hasattr(table, "iloc") else table[:_MOST_VALUES]
    mixed = _changed(first, [], random)
    yield "its own cells", mixed
    yield "one row", mixed.iloc[:1] if hasattr(mixed, "iloc") else mixed[:1]
    for name, *odd in _KINDS:
        yield name, _changed(first, odd, random)
    yield "fewer columns", mixed.iloc[:, :-1] if hasattr(mixed, "iloc") else mixed[:, :-1]


def own_table(transformer: Any, encoder: Any) -> Any:
    """Returns a table of cells that the encoder knows, as the transformer takes it.

    Raises:
        Declined: its categories are neither texts nor numbers.
    """
    known = getattr(encoder, "categories_", None) or encoder.bin_edges_
    columns = [_known_cells(categories) for categories in known]
    steps = [transformer, *(step for _, step in steps_of(transformer))]
    names = next((step.feature_names_in_ for step in steps if hasattr(step, "feature_names_in_")), None)
    if names is None and not any(getattr(step, "func", None) for step in steps):
        return np.stack([np.asarray(column) for column in columns], axis=1)
    frame = pd.DataFrame(dict(enumerate(columns)))
    return frame if names is None else frame.set_axis(list(names), axis=1)


def _known_cells(categories: Any) -> pd.Series:
    """Returns a column of the categories, repeated as often as they fit; a missing one is left out."""
    cells = [cell for cell in list(categories)[:_MOST_VALUES] if not pd.isna(cell)]
    if not cells or len(set(map(type, cells))) > 1 or np.asarray(cells).dtype.kind not in "Ufiu":
        raise Declined("Its categories are neither texts nor numbers.")
    cells = [cells[place % len(cells)] for place in range(_MOST_VALUES)]
    return pd.Series(cells, dtype="str" if isinstance(cells[0], str) else np.asarray(cells).dtype)


def _changed(table: Any, odd: Sequence[Sequence[Any]], random: np.random.Generator) -> Any:
    """Returns rows whose cells are drawn from the table's, column by column; some are odd ones."""
    if hasattr(table, "iloc"):
        columns = [_column(table.iloc[:, place], odd, random) for place in range(table.shape[1])]
        made = pd.DataFrame(dict(enumerate(columns)))
        return made.set_axis(table.columns, axis=1)
    columns = [_column(pd.Series(table[:, place]), odd, random) for place in range(table.shape[1])]
    return np.stack([column.to_numpy() for column in columns], axis=1).astype(table.dtype)


def _column(column: pd.Series, odd: Sequence[Sequence[Any]], random: np.random.Generator) -> pd.Series:
    made = column.take(random.integers(0, len(column), _ROWS)).reset_index(drop=True)
    cells = _odd_cells(column.dtype, odd)
    if not cells:
        return made
    rows = np.flatnonzero(random.random(_ROWS) < _SHARE_OF_ODD_CELLS)
    chosen = [cells[place] for place in random.integers(0, len(cells), len(rows))]
    if made.dtype == "object":
        values = made.to_numpy(copy=True)
        for row, cell in zip(rows.tolist(), chosen, strict=True):
            values[row] = cell
        return pd.Series(values, dtype="object")
    made.iloc[rows] = pd.Series(chosen, dtype=made.dtype).array
    return made


def _odd_cells(kind: Any, odd: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Returns the odd cells for a column of this type; none for categories, dates and booleans."""
    if not odd:
        return []
    if isinstance(kind, pd.StringDtype) or kind == "object":
        return odd[0]
    if not isinstance(kind, np.dtype):
        return []
    return odd[1] if kind.kind == "f" else odd[2] if kind.kind in "iu" else []
