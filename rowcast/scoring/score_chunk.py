"""Scoring one chunk: rows in, the same rows with predictions out. A pure function of bytes, model and options."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rowcast.csv import scan
from rowcast.csv.write import csv_cell
from rowcast.jobs.job import Format
from rowcast.jobs.options import Options
from rowcast.jobs.results.errors_csv import error_rows
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.summary import Summary
from rowcast.models.model_set import ModelSet
from rowcast.scoring.failure_reason import Reason, likely_reason
from rowcast.scoring.model_rows import ScoredRows, predict_rows_of, together
from rowcast.scoring.predict import Predict, Values, Wanted, no_values, predict_good
from rowcast.scoring.predicted_cells import added_cells
from rowcast.scoring.summarize import summary_of
from rowcast.scoring.table import RowFault, read_each

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
    format: Format = "csv"
    """The format of the file that the chunks were made of."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """`Spec.dtypes`."""


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
    """Scores whole rows with one model, as `score_each` does."""
    return score_each(data, first_row, [model], spec, predict, summarized=summarized)


def score_each(
    data: bytes,
    first_row: int,
    models: Sequence["LoadedModel"],
    spec: ChunkSpec,
    predict: Predict = predict_good,
    *,
    summarized: Collection[int] | None = None,
) -> Part:
    """Scores whole rows with one model or two. The first row is the job's data row `first_row`, counted from 1.

    Each model predicts the rows that it would predict in a job without the other. A row that one of two models cannot
    predict is bad.

    The summary is of the rows whose numbers are in `summarized`, or of all if that is None.

    Raises:
        MemoryError, ModelRefused: not the fault of a row. Exception: see `predict_good`.
        SearchAborted: an isolated `predict` found too many rows at fault; it names them.
    """
    options = spec.options
    wanted = Wanted(options.probabilities, options.scores)
    read = list(read_each(data, spec.columns, models, options, format=spec.format, dtypes=spec.dtypes))
    fields = read[0].fields
    scored = together(
        [predict_rows_of(model, rows, predict, wanted, first_row) for model, rows in zip(models, read, strict=True)]
    )
    faults = tuple(
        RowFault(first_row + fault.row, fault.column, fault.value[:_VALUE_CHARACTERS], fault.message)
        for fault in scored.faults
    )
    count = len(fields.lines)
    is_all_bad = 0 < len(faults) == count
    reason = likely_reason(data, fields, faults, len(spec.columns), options) if is_all_bad else None
    return Part(
        data=_rows(data, fields, _added(count, scored, models, options, _error_texts(faults, first_row)), spec),
        errors=error_rows((fault.row, fault.column, fault.value, fault.message) for fault in faults),
        rows=count,
        rows_failed=len(faults),
        summary=summary_of(models, [values.predictions for values in _chosen(scored, first_row, summarized)]),
        reason=reason,
        faults=faults,
    )


def unscored(data: bytes, models: Sequence["LoadedModel"], spec: ChunkSpec) -> Part:
    """Returns the blank rows at the end of a file: in a joined result they come back, with empty added cells."""
    options = spec.options
    inside = scan.quoted(data, options.delimiter)
    fields = scan.split(data, inside, options.delimiter, len(spec.columns))
    added = [_empty_cells(models, options)] * len(fields.lines)
    summary = summary_of(models, [no_values(model, Wanted()).predictions for model in models])
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
    count: int,
    scored: ScoredRows,
    models: Sequence["LoadedModel"],
    options: Options,
    errors: Mapping[int, str],
) -> list[bytes]:
    """Returns the added cells of each of `count` rows: those of each model.

    Those of a bad row are empty, except for the error with `on_error=column`. `errors` has the text for each bad row.
    """
    mark = options.delimiter.encode()
    each = [
        added_cells(model, values, options.delimiter, guard_formulas=options.guard_formulas)
        for model, values in zip(models, scored.values, strict=True)
    ]
    cells = each[0] if len(each) == 1 else list(map(mark.join, zip(*each, strict=True)))
    if options.has_error_column:
        cells = [cell + mark for cell in cells]
    if len(cells) == count:
        return cells
    empty = _empty_cells(models, options)
    added = [empty] * count
    if options.has_error_column:
        for row, text in errors.items():
            added[row] = empty + csv_cell(text, options.delimiter)
    for row, cell in zip(scored.good.tolist(), cells, strict=True):
        added[row] = cell
    return added


def _empty_cells(models: Sequence["LoadedModel"], options: Options) -> bytes:
    """Returns the added cells of a row without a prediction."""
    columns = options.added_columns(ModelSet(tuple(model.manifest for model in models)))
    return options.delimiter.encode() * (len(columns) - 1)


def _chosen(scored: ScoredRows, first_row: int, summarized: Collection[int] | None) -> Sequence[Values]:
    """Returns the values of each model that the summary is of."""
    if summarized is None:
        return scored.values
    chosen = np.isin(first_row + scored.good, list(summarized))
    return [values.of_rows(chosen) for values in scored.values]
