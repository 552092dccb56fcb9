"""What the cells of a column look like: a rough kind for people to compare with the kind of the model's feature.

A worker decides whether a cell fits; this only describes the column.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

from rowcast.csv.rows import rows
from rowcast.jobs.check.file_sample import FileSample
from rowcast.models.cells import boolean_pair, number, whole_number

SeenKind = Literal["empty", "whole numbers", "numbers", "booleans", "text"]

_MOST_CELLS = 100_000
_FEWEST_ROWS = 10
"""A file may have ten thousand columns, and the gateway looks at each cell one by one."""


def seen_kind(cells: Iterable[str], na_texts: frozenset[str], decimal: str) -> SeenKind:
    """Returns what the cells are, apart from those that mean missing."""
    present = {cell for cell in cells if cell not in na_texts}
    if not present:
        return "empty"
    if all(whole_number(cell) is not None for cell in present):
        return "whole numbers"
    if all(number(cell if decimal == "." else cell.replace(decimal, ".")) is not None for cell in present):
        return "numbers"
    return "booleans" if boolean_pair(present) else "text"


def column_cells(sample: FileSample, columns: Sequence[str], wanted: Sequence[str]) -> dict[str, list[str]]:
    """Returns the cells of the `wanted` columns in the first rows: in fewer rows if there are many columns.

    Rows with another number of fields than `columns` are left out.
    """
    count = max(_FEWEST_ROWS, _MOST_CELLS // max(1, len(columns)))
    whole = [row for row in islice(rows(sample.data, sample.delimiter), count) if len(row) == len(columns)]
    places = {name: place for place, name in enumerate(columns)}
    return {name: [row[places[name]] for row in whole] for name in wanted}
