"""Scoring one chunk: rows in, the same rows with predictions out. A pure function of bytes, model and options."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.csv.write import csv_cell
from rowcast.jobs.number_summary import Numbers
from rowcast.jobs.options import Options
from rowcast.jobs.results.errors_csv import error_rows
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.summary import MAX_OUTPUTS, Outputs, Summary
from rowcast.scoring.failure_reason import Reason, likely_reason
from rowcast.scoring.predict import Predict, Predicted, SearchAborted, Wanted, predict_good
from rowcast.scoring.predicted_cells import added_cells, counts
from rowcast.scoring.table import RowFault, Rows, read

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

_VALUE_CHARACTERS = 200
"""Maximum characters of an invalid cell in the errors."""


@dataclass(frozen=True)
class ChunkSpec:
    """The facts that all chunks of a job share. `line_end` is for a last row that has none."""

    columns: tuple[str, ...]
    line_end: bytes
    options: Options


@dataclass(frozen=True)
class Part:
    """The output of a chunk: rows of the result, and of the errors as `row,column,value,message`; no header lines."""

    data: bytes
    errors: bytes
    rows: int
    rows_failed: int
    summary: Summary
    reason: Reason | None
    """Why all rows are bad, if they are."""
    faults: tuple[RowFault, ...]
    """As in `errors`, `row` counting the job's data rows from 1."""

    def first_error(self) -> RowFault:
        """Returns the first bad row; there is one if `rows_failed` is not 0."""
        return self.faults[0]


def score(
    data: bytes,
    first_row: int,
    model: "LoadedModel",
    spec: ChunkSpec,
    predict: Predict = predict_good,
    *,
    summarized: Collection[int] | None = None,
) -> Part:
    """Scores whole rows. The first one is the job's data row `first_row`, counted from 1.

    The summary is of the rows whose numbers are in `summarized`, or of all if that is None.

    Raises:
        MemoryError, ModelRefused: not the fault of a row. Exception: see `predict_good`.
        SearchAborted: an isolated `predict` found too many rows at fault; it names them.
    """
    options = spec.options
    rows = read(data, spec.columns, model, options)
    try:
        predicted = predict(model, rows.table, Wanted(options.probabilities, options.scores))
    except SearchAborted as error:
        raise error.numbered(lambda index: first_row + int(rows.good[index])) from None
    raising = [RowFault(int(rows.good[index]), "", "", message) for index, message in predicted.faults.items()]
    faults = tuple(
        RowFault(first_row + fault.row, fault.column, fault.value[:_VALUE_CHARACTERS], fault.message)
        for fault in sorted([*rows.faults, *raising], key=lambda fault: fault.row)
    )
    count = len(rows.fields.lines)
    is_all_bad = 0 < len(faults) == count
    reason = likely_reason(data, rows.fields, faults, len(spec.columns), options) if is_all_bad else None
    return Part(
        data=_rows(data, rows.fields, _added(rows, predicted, model, options, _error_texts(faults, first_row)), spec),
        errors=error_rows((fault.row, fault.column, fault.value, fault.message) for fault in faults),
        rows=count,
        rows_failed=len(faults),
        summary=_summary(_chosen(rows, predicted, first_row, summarized), model),
        reason=reason,
        faults=faults,
    )


def unscored(data: bytes, model: "LoadedModel", spec: ChunkSpec) -> Part:
    """Returns the blank rows at the end of a file: in a joined result they come back, with empty added cells."""
    options = spec.options
    inside = scan.quoted(data, options.delimiter)
    fields = scan.split(data, inside, options.delimiter, len(spec.columns))
    added = [_empty_cells(model, options)] * len(fields.lines)
    summary = Summary(classes={}) if model.manifest.task == "classification" else Summary(numbers=Numbers())
    return Part(_rows(data, fields, added, spec), b"", 0, 0, summary, None, ())


def _rows(data: bytes, fields: scan.Fields, added: list[bytes], spec: ChunkSpec) -> bytes:
    """Returns the rows of the result, in the format of results."""
    return RESULT_FORMAT.rows(data, fields, added, columns=spec.columns, line_end=spec.line_end, options=spec.options)


def _error_texts(faults: Sequence[RowFault], first_row: int) -> dict[int, str]:
    """Returns what is wrong with each bad row, by its index."""
    return {
        fault.row - first_row: f"{fault.column}: {fault.message}" if fault.column else fault.message for fault in faults
    }


def _added(
    rows: Rows, predicted: Predicted, model: "LoadedModel", options: Options, errors: Mapping[int, str]
) -> list[bytes]:
    """Returns the added cells of every row. Those of a bad row are empty, except for the error with `on_error=column`.

    `errors` has the text for each bad row.
    """
    cells = added_cells(model, predicted.values, options.delimiter, guard_formulas=options.guard_formulas)
    count = len(rows.fields.lines)
    if options.has_error_column:
        mark = options.delimiter.encode()
        cells = [cell + mark for cell in cells]
    if len(cells) == count:
        return cells
    empty = _empty_cells(model, options)
    added = [empty] * count
    if options.has_error_column:
        for row, text in errors.items():
            added[row] = empty + csv_cell(text, options.delimiter)
    for row, cell in zip(rows.good[predicted.good].tolist(), cells, strict=True):
        added[row] = cell
    return added


def _empty_cells(model: "LoadedModel", options: Options) -> bytes:
    """Returns the added cells of a row without a prediction."""
    columns = len(options.added_columns(model.manifest))
    return options.delimiter.encode() * (columns - 1)


def _chosen(rows: Rows, predicted: Predicted, first_row: int, summarized: Collection[int] | None) -> NDArray[Any]:
    """Returns the predictions that the summary is of, shape (rows,) or (rows, outputs)."""
    predictions = predicted.values.predictions
    if summarized is None:
        return predictions
    return predictions[np.isin(first_row + rows.good[predicted.good], list(summarized))]


def _summary(predictions: NDArray[Any], model: "LoadedModel") -> Summary:
    names, is_regression = model.manifest.outputs, model.manifest.task == "regression"
    if names is None:
        return _of_output(predictions, is_regression)
    not_finite = int((~np.isfinite(np.asarray(predictions, np.float64))).sum()) if is_regression else 0
    some = zip(names[:MAX_OUTPUTS], predictions.T[:MAX_OUTPUTS], strict=True)
    return Summary(
        outputs=Outputs(tuple((name, _of_output(values, is_regression)) for name, values in some), not_finite)
    )


def _of_output(predictions: NDArray[Any], is_regression: bool) -> Summary:
    if is_regression:
        return Summary(numbers=Numbers.of(np.asarray(predictions, np.float64)))
    return Summary(classes=counts(predictions))
