"""A result as NDJSON: one JSON object for each row, made from the CSV of the stored parts while it is sent.

A feature that is a number comes as a JSON number, exactly as it is written in the file, so no digit is lost; a decimal
comma becomes a point. Every other cell of the input is text. Predictions have their own types. A missing number, and
every added cell of a bad row, is null, and so is what JSON cannot write: infinity and NaN. The features of an
explanation come as a list, unless the option `columns` names the added columns.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from rowcast.csv.decompression import yield_to_other_requests
from rowcast.csv.rows import rows, whole_rows
from rowcast.jobs.job import Job
from rowcast.jobs.options import Options
from rowcast.jobs.results.labels import label_reader
from rowcast.jobs.results.result_columns import AddedColumn, added_columns
from rowcast.models.model_set import ModelSet

MEDIA_TYPE = "application/x-ndjson"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A number as JSON writes it (RFC 8259 section 6)."""

_CELLS = 5_000
"""Cells that are written before other requests have their turn."""

Writer = Callable[[str], str]
"""Writes a cell as JSON."""


def ndjson(parts: Iterable[Iterable[bytes]], job: Job, models: ModelSet) -> Iterator[bytes]:
    """Yields the lines of a result. `parts` are those of the result, each in blocks, without the header line."""
    options = job.spec.options
    columns = job.spec.kept_columns
    added = added_columns(options, models)
    writers = [*_input_writers(columns, models, options), *(_added_writer(column, models) for column in added)]
    cells = len(columns) + len(added)
    names = [json.dumps(name, ensure_ascii=False) for name in (*columns, *(column.name for column in added))]
    listed = _listed_cells(columns, added, options)
    if listed is not None:
        names[listed], writers[listed] = ['"explanations"'], [str]
    rows_at_a_time = max(1, _CELLS // cells)
    for part in parts:
        for piece in whole_rows(part, options.delimiter):
            found = rows(piece, options.delimiter)
            while block := list(islice(found, rows_at_a_time)):
                fitted = (row if len(row) == cells else _fitted(row, len(columns), len(added)) for row in block)
                if listed is not None:
                    fitted = ([*row[: listed.start], _list(row[listed]), *row[listed.stop :]] for row in fitted)
                yield "".join(_line(names, writers, row) for row in fitted).encode()
                yield_to_other_requests()


def _listed_cells(columns: Sequence[str], added: Sequence[AddedColumn], options: Options) -> slice | None:
    """Returns the cells that become the list `explanations`; None if there are none, or if the caller named columns."""
    places = [place for place, one in enumerate(added, len(columns)) if one.content in ("reason", "contribution")]
    if not places or options.columns or "explanations" in columns:
        return None
    return slice(places[0], places[-1] + 1)


def _list(cells: Sequence[str]) -> str:
    """Returns the list of features and their contributions; null for a bad row."""
    pairs = zip(cells[::2], cells[1::2], strict=True)
    found = [f'{{"feature":{_text(name)},"value":{_number(value)}}}' for name, value in pairs if name or value]
    return f"[{','.join(found)}]" if found else "null"


def _line(names: Sequence[str], writers: Sequence[Writer], row: Sequence[str]) -> str:
    pairs = (f"{name}:{write(cell)}" for name, write, cell in zip(names, writers, row, strict=True))
    return "{" + ",".join(pairs) + "}\n"


def _fitted(row: list[str], columns: int, added: int) -> list[str]:
    """Returns the cells of a bad row with too many or too few: the first ones of the input, and those that were added.

    All of the added cells are empty, except the one that says what is wrong.
    """
    kept = row[: max(0, len(row) - added)][:columns]
    return [*kept, *[""] * (columns - len(kept)), *row[-added:]]


def _input_writers(columns: Sequence[str], models: ModelSet, options: Options) -> list[Writer]:
    """Returns the writer of each column. If two models read a column, the first one says what it is."""
    writers: dict[str, Writer] = {}
    for manifest in models.manifests:
        number = _number_writer(manifest.na_texts(options.na_values), options.decimal)
        for feature in manifest.features:
            writers.setdefault(feature.name, number if feature.kind in ("number", "integer") else _text)
    return [writers.get(name, _text) for name in columns]


def _number_writer(missing: frozenset[str], decimal: str) -> Writer:
    def number_or_text(cell: str) -> str:
        if not cell or cell in missing:
            return "null"
        number = cell.replace(decimal, ".")
        return number if _NUMBER.fullmatch(number) else _text(cell)

    return number_or_text


def _added_writer(column: AddedColumn, models: ModelSet) -> Writer:
    """Returns the writer of a column that the result adds."""
    if column.content in ("error", "reason"):
        return _text_or_null
    if column.content not in ("prediction", "top"):
        return _number
    read = label_reader(models.manifests[column.model])

    def label(cell: str) -> str:
        return json.dumps(read(cell) if cell else None, ensure_ascii=False)

    return label


def _text(cell: str) -> str:
    return json.dumps(cell, ensure_ascii=False)


def _text_or_null(cell: str) -> str:
    return _text(cell) if cell else "null"


def _number(cell: str) -> str:
    return cell if _NUMBER.fullmatch(cell) else "null"
