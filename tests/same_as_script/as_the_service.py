"""What the service does with a model and a file: registers, cuts into chunks, scores as a worker does, joins.

`differences` compares that with the user's own script, cell for cell, as text.
"""

import csv
import io
import math
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feature_kinds import Kind
from reference import predict, script
from registering import FEW_ALONE

from rowcast.csv.chunker import Chunker
from rowcast.errors import RowcastError
from rowcast.jobs.job import Format
from rowcast.jobs.options import Options, RowExtras
from rowcast.models.loading.load import LoadedModel
from rowcast.models.registry import Registry
from rowcast.models.row_values import row_values
from rowcast.scoring.score_chunk import ChunkSpec, score
from rowcast.scoring.score_rows import predict_rows
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions
from worker.model_cache import ModelCache

CHUNK_ROWS = (64, 128, 10**6)
"""The three chunk sizes that each file is cut with; the last is the whole file."""

SHOWN = 5
"""So many differences of each sort are shown."""

Row = Sequence[str]


@dataclass(frozen=True)
class Reading:
    """How a user reads the files: the arguments of `read_csv`, and the same as options of Rowcast."""

    dtype: Mapping[str, str] = field(default_factory=dict)
    parse_dates: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ()
    decimal: str = "."
    dayfirst: bool = False
    keep_default_na: bool = True
    #: The kinds that are named at registration, by column.
    kinds: Mapping[str, str] = field(default_factory=dict)
    #: Further arguments of `read_csv`.
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def for_pandas(self) -> dict[str, Any]:
        return {
            "dtype": dict(self.dtype),
            "parse_dates": list(self.parse_dates),
            "na_values": list(self.na_values),
            "decimal": self.decimal,
            "dayfirst": self.dayfirst,
            "keep_default_na": self.keep_default_na,
            **self.more,
        }

    @property
    def for_rowcast(self) -> dict[str, Any]:
        return {
            "kinds": dict(self.kinds),
            "na_values": list(self.na_values),
            "parse_dates": list(self.parse_dates),
            "decimal": self.decimal,
            "dayfirst": self.dayfirst,
            "keep_default_na": self.keep_default_na,
        }


def reading(columns: Mapping[str, Kind], na_values: Sequence[str] = ()) -> Reading:
    """Returns how a file with columns of these kinds is read."""
    more: dict[str, Any] = {}
    decimal = "."
    for kind in columns.values():
        more |= kind.read
        decimal = kind.decimal or decimal
    return Reading(
        decimal=decimal,
        dtype={name: kind.dtype for name, kind in columns.items() if kind.dtype is not None},
        parse_dates=tuple(name for name, kind in columns.items() if kind.is_date),
        na_values=tuple(na_values),
        kinds={name: kind.named for name, kind in columns.items() if kind.named is not None},
        more=more,
    )


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(map(_field, columns)) + "\n")
        file.writelines(",".join(map(_field, row)) + "\n" for row in zip(*columns.values(), strict=True))
    return path


def _field(cell: object) -> str:
    text = str(cell)
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\r\n') else text


def fit(model: Any, rows: Any, target: Any) -> Any:
    """Fits as a notebook does, where warnings about a few rows or iterations are only printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows) if target is None else model.fit(rows, target)


def register(folder: Path, model: Any, sample: Path, read: Reading, target: str | None = None) -> LoadedModel:
    """Returns the model as a worker has it, after `rowcast models add`.

    Raises:
        RowcastError: it is refused, with the reason.
    """
    file = folder / "model.pkl"
    file.write_bytes(pickle.dumps(model))
    registry = Registry(Storage(str(folder / "models")))
    options = AddOptions(target=target, alone=FEW_ALONE, **read.for_rowcast)
    manifest = add(file, "m", registry, sample, options)
    return ModelCache(registry, "strict").get("m", manifest.version)


def scored(
    model: LoadedModel, data: bytes, chunk_rows: int, decimal: str = ".", format: Format = "csv"
) -> tuple[list[tuple[str, ...]], dict[int, str]]:
    """Returns the added cells of each row of a file, and why each bad row is bad, by index from 0.

    `format` is that of the file that the CSV was made of.
    """
    options = Options.model_validate({"output": "predictions", "delimiter": ",", "decimal": decimal})
    chunker = Chunker(
        delimiter=options.delimiter,
        header=True,
        chunk_bytes=10**7,
        chunk_rows=chunk_rows,
        max_row_bytes=10**6,
        max_columns=10**4,
        on_header=None,
        keeps_blank_rows=True,
    )
    chunks = [*chunker.feed(data), *chunker.end()]
    assert chunker.header is not None
    spec = ChunkSpec(chunker.header.columns, chunker.line_end, options, format)
    parts = [score(chunk.data, chunk.first_row, model, spec) for chunk in chunks]
    rows = csv.reader(io.StringIO(b"".join(part.data for part in parts).decode(), newline=""))
    faults = {
        fault.row - 1: f"{fault.column} {fault.value!r}: {fault.message}" for part in parts for fault in part.faults
    }
    return [tuple(row) for row in rows], faults


def never_bad(row: Any) -> bool:
    """No row of the file may be bad."""
    return False


def differences(
    model: Any,
    registered: LoadedModel,
    path: Path,
    features: Any,
    read: Reading,
    may_be_bad: Callable[[Any], bool] = never_bad,
    chunk_sizes: Sequence[int] = CHUNK_ROWS,
    *,
    exact: bool = True,
) -> list[str]:
    """Returns what differs between the service and the script for a file, in each of the chunk sizes; empty if nothing.

    `may_be_bad` takes a row of the file as a Series of texts, NaN where pandas reads a missing value. If rows are bad,
    the others must be predicted as the script predicts the file without them. Unless `exact`, numbers may differ in
    their last bits.
    """
    found: list[str] = []
    by_script: dict[tuple[int, ...], list[tuple[str, ...]]] = {}  # by the rows that are good
    texts = pd.read_csv(path, dtype=str, na_values=list(read.na_values))
    for chunk_rows in chunk_sizes:
        cut = f"chunks of {chunk_rows}"
        got, faults = scored(registered, path.read_bytes(), chunk_rows, read.decimal)
        if len(got) != len(texts):
            return [f"{cut}: {len(got)} rows for {len(texts)}"]
        wrong = [row for row in faults if not may_be_bad(texts.iloc[row])]
        found += [f"{cut}, row {row}: bad, {faults[row]}" for row in wrong[:SHOWN]]
        good = tuple(row for row in range(len(got)) if row not in faults)
        try:
            expected = by_script[good] = by_script.get(good) or _by_script(model, path, features, read, good)
        except Exception as error:
            found.append(f"{cut}: the script fails for the good rows, {type(error).__name__}: {error}"[:300])
            continue
        pairs = [(row, one, got[row]) for row, one in zip(good, expected, strict=True)]
        pairs = [pair for pair in pairs if pair[1] != pair[2] and (exact or not _close(*pair[1:]))]
        found += [f"{cut}, row {row}: the script {one}, the service {other}" for row, one, other in pairs[:SHOWN]]
    return found


def _by_script(model: Any, path: Path, features: Any, read: Reading, good: Sequence[int]) -> list[tuple[str, ...]]:
    """Returns what the script predicts for the file, of which only these rows are kept."""
    data = path.read_bytes().decode("utf-8-sig")
    header, *lines = [line for line in csv.reader(io.StringIO(data, newline="")) if line]
    if not good:
        return []
    if len(good) < len(lines):
        columns = {name: [lines[row][place] for row in good] for place, name in enumerate(header)}
        path = write_csv(path.with_suffix(".good.csv"), columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return script(model, path, features, **read.for_pandas)


def single_differences(
    model: Any, registered: LoadedModel, path: Path, features: Any, read: Reading, *, exact: bool = True, rows: int = 4
) -> list[str]:
    """Returns what differs between single rows of a file, sent as JSON, and the script for frames of one row."""
    frame = pd.read_csv(path, **read.for_pandas)
    texts = pd.read_csv(path, dtype=str)
    found = []
    for row in range(rows):
        one = frame.iloc[[row]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = predict(model, one[features])[0]
        names = registered.manifest.feature_names
        try:
            values = row_values(
                {name: json_value(one[name].iloc[0], texts[name].iloc[row]) for name in names}, registered.manifest
            )
            (answer,) = predict_rows(registered, [values], [RowExtras()])
        except RowcastError as error:
            answer = str(error)
        got = (answer,) if isinstance(answer, str) else tuple(map(str, _flat(list(answer.values()))))
        if got != expected and (exact or not _close(got, expected)):
            found.append(f"row {row} alone: the script {expected}, the service {got}")
    return found[:SHOWN]


def json_value(value: Any, text: Any) -> Any:
    """Returns a value of a frame as a caller writes it in JSON: dates as in the file, whole numbers without a point."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return text
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flat(values: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat += (
            _flat(list(value.values()) if isinstance(value, dict) else value)
            if isinstance(value, list | dict)
            else [value]
        )
    return flat


def _close(got: Row, expected: Row) -> bool:
    try:
        pairs = zip(map(float, got), map(float, expected), strict=True)
        return all(math.isclose(one, other, rel_tol=1e-12) for one, other in pairs)
    except ValueError:
        return False
