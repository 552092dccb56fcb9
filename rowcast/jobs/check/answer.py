"""The answer to a check: its types, and how it is made of a sample and of what a worker predicted for it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from typing_extensions import TypedDict

from rowcast.csv.delimiter import AUTO, fitting_delimiter
from rowcast.errors import MissingColumns, NotUtf8, Refused
from rowcast.jobs.check.file_sample import FileSample
from rowcast.jobs.check.seen_kinds import SeenKind, column_cells, seen_kind
from rowcast.jobs.job import Format
from rowcast.jobs.public_job import PinnedModel
from rowcast.jobs.request import Request, require_columns
from rowcast.models.model_manifest import Label, Manifest
from rowcast.problem import Problem, Recorded
from rowcast.wording.quantity import counted

SHOWN_ROWS = 10
"""Predictions that a check shows."""

SHOWN_FAULTS = 50
"""Bad rows that a check lists."""

_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]*,[0-9]+\s*")


class MissingColumn(TypedDict):
    """A column that the model needs and the file does not have."""

    name: str
    #: The column of the file that is most likely meant; null if none is close.
    nearest: str | None


class CheckedColumns(TypedDict):
    """The columns of the file, by what happens to them."""

    #: Those that the model uses.
    matched: list[str]
    missing: list[MissingColumn]
    #: Those that come back with the result and are not used.
    carried: list[str]


class ColumnType(TypedDict):
    """What the cells of a column look like, next to what the model takes."""

    name: str
    #: The kind of the model's feature, for example `number`.
    kind: str
    #: What the first cells are.
    seen: SeenKind
    #: Whether every cell of the sample could be read.
    fits: bool


OnePrediction = Label | list[Label | None] | None
"""What one model predicts for a row: a list for several outputs."""


class SampleRow(TypedDict):
    """A row of the sample, counted from 1, and its prediction (a list for several outputs).

    If two models predict, the prediction is an object with an entry for each.
    """

    row: int
    prediction: OnePrediction | dict[str, OnePrediction]


class SampleFault(TypedDict):
    """A row that could not be predicted. `column` is empty if the whole row is wrong."""

    row: int
    column: str
    value: str
    message: str


class Expected(TypedDict):
    """What the whole file will be."""

    #: Number of rows, estimated from the length of the file; null if that is not known.
    rows: int | None
    #: Time from the upload to the result, in seconds; null if it cannot be estimated.
    seconds: float | None


class Fix(TypedDict):
    """An option with which the file probably fits."""

    option: str
    value: str
    #: Why, as a sentence.
    message: str


class CheckWarning(TypedDict):
    """Something to know before the file is sent."""

    type: str
    message: str


class PublicCheck(TypedDict):
    """What a file would give if it were sent, found out from its first rows."""

    #: Whether `POST /predict` would accept the file and predict at least one row of the sample.
    ok: bool
    #: The model; of two the first.
    model: PinnedModel
    #: All models: one or two, in the order of the request.
    models: list[PinnedModel]
    #: The format of the file. A worker converts any other than `csv` to rows of CSV, which the next four describe.
    format: Format
    delimiter: str
    decimal: str
    #: Empty if the file could not be read.
    encoding: str
    #: Whether the first line is read as the header.
    header: bool
    columns: CheckedColumns
    types: list[ColumnType]
    sample: list[SampleRow]
    bad_rows: list[SampleFault]
    expected: Expected
    warnings: list[CheckWarning]
    #: Why the file would be refused; otherwise null.
    problem: Problem | None
    fixes: list[Fix]


@dataclass(frozen=True)
class ScoredSample:
    """What a worker made of the rows of a sample."""

    #: The predictions of the first good rows.
    sample: list[SampleRow]
    #: The first rows that could not be predicted.
    bad_rows: list[SampleFault]
    #: Number of rows that could not be predicted.
    bad_count: int
    #: Why no row was scored, or why the job failed; None if it succeeded.
    problem: Recorded | None = None
    #: The warnings about the sample.
    warnings: tuple[CheckWarning, ...] = ()
    #: The columns of all bad rows.
    unfit: frozenset[str] = frozenset()


def columns_of(sample: FileSample, request: Request) -> tuple[str, ...]:
    """Returns the names of the file's columns: without a header line, those of the model."""
    if sample.header is not None:
        return sample.header.columns
    return () if request.options.header else tuple(request.models.feature_names)


def refusal(sample: FileSample, request: Request) -> Refused | None:
    """Returns the error with which `POST /predict` would refuse the file, or None."""
    if sample.problem is not None or sample.header is None:
        return sample.problem
    try:
        require_columns(sample.header, request)
    except Refused as error:
        return error
    return None


def describe(
    sample: FileSample,
    request: Request,
    scored: ScoredSample,
    expected: Expected,
    problem: Callable[[Recorded], Problem],
) -> PublicCheck:
    """Returns the answer. `problem` makes the whole document of an error."""
    options, columns = request.options, columns_of(sample, request)
    refused = refusal(sample, request)
    recorded = cast(Recorded, refused.recorded()) if refused else scored.problem
    types = _types(sample, request, columns, scored)
    models: list[PinnedModel] = [{"name": one.name, "version": one.version} for one in request.models.manifests]
    return {
        "ok": recorded is None and bool(scored.sample) and not _has_too_many_bad_rows(request, scored),
        "model": models[0],
        "models": models,
        "format": sample.format,
        "delimiter": sample.delimiter,
        "decimal": options.decimal,
        "encoding": sample.encoding,
        "header": options.header,
        "columns": _columns(request, columns, refused),
        "types": types,
        "sample": scored.sample,
        "bad_rows": scored.bad_rows,
        "expected": expected,
        "warnings": [*_warnings(sample, scored), *scored.warnings],
        "problem": problem(recorded) if recorded else None,
        "fixes": _fixes(sample, request, refused, scored),
    }


def _has_too_many_bad_rows(request: Request, scored: ScoredSample) -> bool:
    """Returns whether the job would fail because of the bad rows of the sample."""
    options = request.options
    most = 0 if options.on_error == "fail" else options.max_errors
    return most is not None and scored.bad_count > most


def _columns(request: Request, columns: Sequence[str], refused: Refused | None) -> CheckedColumns:
    features, present = set(request.models.feature_names), set(columns)
    nearest = refused.nearest if isinstance(refused, MissingColumns) else {}
    missing = [name for name in request.models.required_names if name not in present] if columns else []
    return {
        "matched": [name for name in columns if name in features],
        "missing": [{"name": name, "nearest": nearest.get(name)} for name in missing],
        "carried": [name for name in columns if name not in features],
    }


def _types(sample: FileSample, request: Request, columns: Sequence[str], scored: ScoredSample) -> list[ColumnType]:
    """Returns what each model takes and what the cells are. If both models take the same kind, it has one entry."""
    found: dict[tuple[str, str], ColumnType] = {}
    for manifest in request.models.manifests:
        for one in _types_of(manifest, sample, request, columns, scored):
            found.setdefault((one["name"], one["kind"]), one)
    return list(found.values())


def _types_of(
    manifest: Manifest, sample: FileSample, request: Request, columns: Sequence[str], scored: ScoredSample
) -> list[ColumnType]:
    options = request.options
    present = set(columns)
    features = [feature for feature in manifest.features if feature.required and feature.name in present]
    cells = column_cells(sample, columns, [feature.name for feature in features]) if sample.rows else {}
    # In a Parquet file only a null is missing, and it is an empty cell here.
    na_texts = manifest.na_texts(options.na_values) if sample.format != "parquet" else frozenset({""})
    return [
        {
            "name": feature.name,
            "kind": feature.kind,
            "seen": seen_kind(cells[feature.name], na_texts, options.decimal),
            "fits": feature.name not in scored.unfit,
        }
        for feature in features
        if feature.name in cells
    ]


def _warnings(sample: FileSample, scored: ScoredSample) -> list[CheckWarning]:
    if not scored.bad_count:
        return []
    message = f"{scored.bad_count:,} of the first {counted(sample.rows, 'row')} could not be predicted"
    return [{"type": "bad-rows", "message": message}]


def _fixes(sample: FileSample, request: Request, refused: Refused | None, scored: ScoredSample) -> list[Fix]:
    if isinstance(refused, NotUtf8) and request.options.encoding in ("auto", "utf-8"):
        why = "The file is probably from Windows and not in UTF-8."
        return [{"option": "encoding", "value": "windows-1252", "message": why}]
    if isinstance(refused, MissingColumns) and request.options.delimiter != AUTO and sample.header is not None:
        fitting = fitting_delimiter(sample.header.line, request.models.required_names)
        named = "tab" if fitting == "\t" else fitting
        why = f"With the delimiter {named} the header has every column that the model needs."
        return [{"option": "delimiter", "value": named, "message": why}] if named else []
    commas = [row for row in scored.bad_rows if row["column"] and _DECIMAL_COMMA.fullmatch(row["value"])]
    if commas and request.options.decimal == ".":
        why = f"The numbers have decimal commas, for example {commas[0]['value'].strip()}."
        return [{"option": "decimal", "value": ",", "message": why}]
    return []
