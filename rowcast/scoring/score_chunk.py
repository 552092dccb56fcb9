"""Scoring one chunk: rows in, the same rows with predictions out. A pure function of bytes, model and options."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from rowcast.csv import scan
from rowcast.csv.write import csv_cell
from rowcast.jobs.job import Format
from rowcast.jobs.options import Options, threshold_of
from rowcast.jobs.results.errors_csv import error_rows
from rowcast.jobs.results.result_columns import EXPLAINED, RANKED, AddedColumn, added_columns
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.summary import Summary
from rowcast.models.model_set import ModelSet
from rowcast.scoring.drift.bin_counter import BinCounter
from rowcast.scoring.drift.chunk_counts import ChunkCounts
from rowcast.scoring.failure_reason import Reason, likely_reason
from rowcast.scoring.model_rows import CountedRows, ScoredRows, predict_rows_of, together
from rowcast.scoring.predict import Predict, Wanted, no_values, predict_good
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
    drift: bytes = b""
    """The packed counts of the rows with a prediction (`BinCounter`); no bytes without a profile."""
    counted: CountedRows | None = field(default=None, compare=False)
    """The rows with a prediction that the summary is of; None of blank rows."""

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
    counter: BinCounter | None = None,
) -> Part:
    """Scores whole rows with one model or two. The first row is the job's data row `first_row`, counted from 1.

    Each model predicts the rows that it would predict in a job without the other. A row that one of two models cannot
    predict is bad.

    The summary is of the rows whose numbers are in `summarized`, or of all if that is None. `counter` counts the same
    rows into the bins of the first model's profile.

    Raises:
        MemoryError, ModelRefused: not the fault of a row. Exception: see `predict_good`.
        SearchAborted: an isolated `predict` found too many rows at fault; it names them.
    """
    options = spec.options
    columns = _columns(models, options)
    counts = ChunkCounts(counter) if counter is not None else None
    read_with = partial(read_each, data, spec.columns, models, options, format=spec.format, dtypes=spec.dtypes)
    read = list(read_with(observe=counts.observe if counts else None))
    fields = read[0].fields
    scored = together(
        [
            predict_rows_of(model, rows, predict, _wanted(number, model, columns, options), first_row)
            for number, (model, rows) in enumerate(zip(models, read, strict=True))
        ]
    )
    faults = _faults_from(scored.faults, first_row)
    count, delimiter = len(fields.lines), options.delimiter
    is_all_bad = 0 < len(faults) == count
    reason = likely_reason(data, fields, faults, len(spec.columns), options) if is_all_bad else None
    cells = added_cells(models, scored.values, columns, delimiter, guard_formulas=options.guard_formulas)
    errors = _with_errors(faults, first_row, columns, delimiter)
    chosen = _chosen(scored, first_row, summarized)
    drift = b""
    if counts is not None:
        first = None if options.threshold is not None else chosen.values[0].predictions
        drift = counts.of(read[0], chosen.good, first, lambda observe: next(read_with(observe=observe)))
    return Part(
        data=_rows(data, fields, _added(count, scored.good, cells, _empty_cells(columns, delimiter), errors), spec),
        errors=error_rows((fault.row, fault.column, fault.value, fault.message) for fault in faults),
        rows=count,
        rows_failed=len(faults),
        summary=summary_of(models, [values.predictions for values in chosen.values]),
        reason=reason,
        faults=faults,
        drift=drift,
        counted=CountedRows(chosen.good, chosen.values[0].predictions),
    )


def _faults_from(faults: Iterable[RowFault], first_row: int) -> tuple[RowFault, ...]:
    """Returns faults of the chunk's rows with the rows' numbers in the job, and with values of a bounded length."""
    return tuple(
        RowFault(first_row + fault.row, fault.column, fault.value[:_VALUE_CHARACTERS], fault.message)
        for fault in faults
    )


def unscored(data: bytes, models: Sequence["LoadedModel"], spec: ChunkSpec) -> Part:
    """Returns the blank rows at the end of a file: in a joined result they come back, with empty added cells."""
    options = spec.options
    inside = scan.quoted(data, options.delimiter)
    fields = scan.split(data, inside, options.delimiter, len(spec.columns))
    added = [_empty_cells(_columns(models, options), options.delimiter)] * len(fields.lines)
    summary = summary_of(models, [no_values(model, Wanted()).predictions for model in models])
    return Part(_rows(data, fields, added, spec), b"", 0, 0, summary, None, ())


def _rows(data: bytes, fields: scan.Fields, added: list[bytes], spec: ChunkSpec) -> bytes:
    """Returns the rows of the result, in the format of results."""
    return RESULT_FORMAT.rows(data, fields, added, columns=spec.columns, line_end=spec.line_end, options=spec.options)


def _added(
    count: int, good: scan.Positions, cells: list[bytes], empty: bytes, errors: Mapping[int, bytes]
) -> list[bytes]:
    """Returns the added cells of each of `count` rows, given those of the good ones.

    Those of a bad row are `empty`, or as `errors` has them by the row's index.
    """
    if len(cells) == count:
        return cells
    added = [empty] * count
    for row, with_error in errors.items():
        added[row] = with_error
    for row, cell in zip(good.tolist(), cells, strict=True):
        added[row] = cell
    return added


def _with_errors(
    faults: Sequence[RowFault], first_row: int, columns: Sequence[AddedColumn], delimiter: str
) -> dict[int, bytes]:
    """Returns the added cells of each bad row by its index, if one of the columns says what is wrong with it."""
    if all(column.content != "error" for column in columns):
        return {}
    texts = {
        fault.row - first_row: f"{fault.column}: {fault.message}" if fault.column else fault.message for fault in faults
    }
    return {row: _empty_cells(columns, delimiter, csv_cell(text, delimiter)) for row, text in texts.items()}


def _empty_cells(columns: Sequence[AddedColumn], delimiter: str, error: bytes = b"") -> bytes:
    """Returns the added cells of a row without a prediction. `error` goes into the column of errors."""
    return delimiter.encode().join(error if column.content == "error" else b"" for column in columns)


def _columns(models: Sequence["LoadedModel"], options: Options) -> list[AddedColumn]:
    return added_columns(options, ModelSet(tuple(model.manifest for model in models)))


def _wanted(number: int, model: "LoadedModel", columns: Sequence[AddedColumn], options: Options) -> Wanted:
    """Returns what the added columns need of the model that is the `number`th of the job, from 0."""
    contents = {column.content for column in columns if column.model == number}
    return Wanted(
        probabilities=not contents.isdisjoint(("probability", *RANKED)),
        scores="score" in contents,
        threshold=threshold_of(model.manifest, options.threshold),
        explain=0 if contents.isdisjoint(EXPLAINED) else options.explain or 0,
    )


def _chosen(scored: ScoredRows, first_row: int, summarized: Collection[int] | None) -> ScoredRows:
    """Returns the rows that the summary is of."""
    if summarized is None:
        return scored
    chosen = np.isin(first_row + scored.good, list(summarized))
    return replace(scored, good=scored.good[chosen], values=tuple(values.of_rows(chosen) for values in scored.values))
