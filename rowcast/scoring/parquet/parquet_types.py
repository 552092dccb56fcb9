"""Types of the columns of a Parquet result, and how a cell of the CSV becomes a value of such a type.

The type of a column depends on the model and on all cells of the result, never on the first ones: each column has a
list of forms that it may have, and takes the first one that holds every cell exactly as it is meant. The last one is
text, which holds any cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from rowcast.csv.write import label_text
from rowcast.jobs.options import Options
from rowcast.jobs.results.result_columns import AddedColumn, added_columns
from rowcast.models import cells
from rowcast.models.model_manifest import Feature, Label, Manifest
from rowcast.models.model_set import ModelSet

_T = TypeVar("_T")

_EXACT = 2**53
"""Whole numbers up to this size are exact as floats."""

_INT64 = range(-(2**63), 2**63)


class UnfitCellError(ValueError):
    """A cell that the form does not hold."""


@dataclass(frozen=True)
class ColumnForm:
    """One way to store a column."""

    #: The type in the file.
    type: pa.DataType
    #: Returns the value of a cell; None if it is missing. Raises UnfitCellError if the form does not hold it.
    read: Callable[[str], Label | None]


TEXT = ColumnForm(pa.string(), lambda cell: cell)
_TEXT_OR_NULL = ColumnForm(pa.string(), lambda cell: cell or None)


def forms(columns: Sequence[str], options: Options, models: ModelSet) -> list[list[ColumnForm]]:
    """Returns the forms that each column may have: the `columns` of the input, then those that the result adds.

    If two models read a column, the first one says what it is, as in NDJSON.
    """
    of_feature: dict[str, list[ColumnForm]] = {}
    for manifest in models.manifests:
        missing = manifest.na_texts(options.na_values)
        for feature in manifest.features:
            of_feature.setdefault(feature.name, _of_feature(feature, missing, options.decimal))
    added = [_of_added(column, models) for column in added_columns(options, models)]
    return [*([*of_feature.get(name, []), TEXT] for name in columns), *added]


def _of_feature(feature: Feature, missing: frozenset[str], decimal: str) -> list[ColumnForm]:
    def unless_missing(read: Callable[[str], Label]) -> Callable[[str], Label | None]:
        return lambda cell: None if not cell or cell in missing else read(cell)

    number = ColumnForm(pa.float64(), unless_missing(lambda cell: _exact_float(cell.replace(decimal, "."))))
    true, false = feature.true_texts, feature.false_texts
    match feature.kind:
        case "number":
            return [number]
        case "integer":
            return [ColumnForm(pa.int64(), unless_missing(lambda cell: _held(cells.whole_number(cell)))), number]
        case "boolean":
            return [ColumnForm(pa.bool_(), unless_missing(lambda cell: _held(cells.boolean(cell, true, false))))]
    return []


def _of_added(column: AddedColumn, models: ModelSet) -> list[ColumnForm]:
    match column.content:
        case "prediction" | "top":
            return [*_of_prediction(models.manifests[column.model]), _TEXT_OR_NULL]
        case "error" | "reason":
            return [_TEXT_OR_NULL]
    return [_FLOAT, _TEXT_OR_NULL]


def _of_prediction(manifest: Manifest) -> list[ColumnForm]:
    """Returns the forms of a predicted column. A model with several outputs has no list of classes."""
    if manifest.task == "regression":
        return [_INT, _FLOAT]
    if not manifest.classes:
        return [_BOOL, _INT, _FLOAT]
    kinds = {type(label) for label in manifest.classes}
    of_kind = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    if len(kinds) != 1 or not kinds <= set(of_kind):
        return []
    labels: dict[str, Label] = {label_text(label): label for label in manifest.classes}

    def label(cell: str) -> Label | None:
        if cell and cell not in labels:
            raise UnfitCellError
        return labels.get(cell)

    return [ColumnForm(of_kind[kinds.pop()], label)]


def _held(value: _T | None) -> _T:
    if value is None:
        raise UnfitCellError
    return value


def _exact_float(cell: str) -> float:
    """Returns the number. A whole number that a float cannot hold is unfit."""
    value = _held(cells.number(cell))
    digits = cell.strip().lstrip("+-")
    if digits.isdecimal() and int(digits) > _EXACT and int(value) != int(cell):
        raise UnfitCellError
    return value


def _written_by_python(read: Callable[[str], Label]) -> Callable[[str], Label | None]:
    """Returns a reader of values as Python writes them, so that a text like `007` stays a text."""

    def reader(cell: str) -> Label | None:
        if not cell:
            return None
        try:
            value = read(cell)
        except ValueError:
            raise UnfitCellError from None
        if str(value) != cell or (type(value) is int and value not in _INT64):
            raise UnfitCellError
        return value

    return reader


def _bool(cell: str) -> bool:
    return _held({"True": True, "False": False}.get(cell))


_BOOL = ColumnForm(pa.bool_(), _written_by_python(_bool))
_INT = ColumnForm(pa.int64(), _written_by_python(int))
_FLOAT = ColumnForm(pa.float64(), lambda cell: _held(cells.number(cell)) if cell else None)
