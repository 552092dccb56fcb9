"""Cells of a file that a worker has converted: what its quotes say that a CSV cannot, and the forms of dates and flags.

A worker puts a cell in quotes only where CSV needs them. So quotes that are not needed can carry a fact: in rows of a
Parquet file `""` is an empty text, and in rows of a workbook `"12"` is a cell that is not text.
"""

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np

from rowcast.csv import scan
from rowcast.csv.write import csv_cell
from rowcast.models.cells import FALSE, TRUE, number
from rowcast.models.model_manifest import Feature
from rowcast.scoring.feature_columns import InvalidCells
from rowcast.scoring.typed.column_type import column_dtype

FILE_FORMS = ("bool", "datetime64")
"""Values of `Spec.dtypes` for columns that are written as `in_file_form` reads them."""

_EMPTY_TEXT = re.compile(rb'(?:(?<=[,\n])|\A)""(?=[,\r\n]|\Z)')
_QUOTED = re.compile(rb'(?:(?<=[,\n])|\A)"[^",\r\n]+"(?=[,\r\n]|\Z)')
_NO_EMPTY_TEXT = (
    "an empty text, which means missing in a CSV and so in the model's sample: write a null or another text"
)
_ISO = "%Y-%m-%d %H:%M:%S.%f"


def in_file_form(feature: Feature) -> Feature:
    """Returns the feature as it reads cells that are written for no model in particular.

    Booleans are `true` and `false`, and the feature's own words. Dates are ISO 8601 with fractions of seconds.
    """
    if feature.kind == "boolean":
        words = {"true_values": [TRUE, *feature.true_texts], "false_values": [FALSE, *feature.false_texts]}
        return feature.model_copy(update=words)
    if feature.kind == "date":
        return feature.model_copy(update={"date_format": _ISO + ("%z" if "," in column_dtype(feature) else "")})
    return feature


def empty_texts(data: bytes, lines: scan.Lines, columns: Sequence[str], features: Sequence[Feature]) -> InvalidCells:
    """Returns the rows of a Parquet file with an empty text in a feature, by index.

    A null is an empty field without quotes there. If there is only one column, a null is `""`.
    """
    if len(columns) == 1:
        return {}
    names = {feature.name for feature in features}
    return _cells(data, lines, columns, names, candidate=_EMPTY_TEXT, fault=_empty_text)


def retyped_cells(data: bytes, lines: scan.Lines, columns: Sequence[str], features: Sequence[Feature]) -> InvalidCells:
    """Returns the rows of a workbook with a number, a boolean or a date in a feature of text, by index.

    pandas reads such a cell as a number, a boolean or a date, so it is not the text that the model knows.
    """
    names = {feature.name for feature in features if takes_text(feature)}
    return _cells(data, lines, columns, names, candidate=_QUOTED, fault=_other_type)


def stated_problems(data: bytes, fields: scan.Fields) -> InvalidCells:
    """Returns the rows of a file of requests in which the worker that read it has found a problem, by index.

    The second column has it (`worker/conversion/request_rows.py`), and is empty in every other row.
    """
    begins, ends = fields.spans(1)
    found = np.flatnonzero(ends > begins).tolist()
    return {row: ("", "", scan.text(data[int(begins[row]) : int(ends[row])])) for row in found}


def takes_text(feature: Feature) -> bool:
    """Returns whether the values of the feature are texts."""
    has_texts = any(isinstance(value, str) for value in feature.categories or [])
    return feature.kind == "text" or (feature.kind == "category" and has_texts)


def _cells(
    data: bytes,
    lines: scan.Lines,
    columns: Sequence[str],
    names: Collection[str],
    *,
    candidate: re.Pattern[bytes],
    fault: Callable[[bytes], str | None],
) -> InvalidCells:
    """Returns the first cell of each row in one of the columns `names` for which `fault` has a message.

    `candidate` finds the places of such cells, and perhaps others.
    """
    found: InvalidCells = {}
    for match in candidate.finditer(data) if names else ():
        row = int(lines.starts.searchsorted(match.start(), "right")) - 1
        if row not in found:  # the match may lie within quotes, so the fields decide
            cells = scan.fields(data[int(lines.starts[row]) : int(lines.ends[row])], ",")
            for column, cell in zip(columns, cells, strict=False):
                if column in names and (message := fault(cell)):
                    found[row] = column, scan.text(cell), message
                    break
    return found


def _empty_text(cell: bytes) -> str | None:
    return _NO_EMPTY_TEXT if cell == b'""' else None


def _other_type(cell: bytes) -> str | None:
    if cell[:1] != b'"' or cell == b'""':
        return None
    text = scan.text(cell)
    if csv_cell(text) == cell:  # the quotes are needed
        return None
    what = "true or false" if text in (TRUE, FALSE) else "a date" if number(text) is None else "a number"
    return f"{what} in the workbook, where the model takes text: format the column as text, and enter the value again"
