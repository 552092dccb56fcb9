"""Parquet files: predicted as by `model.predict(pandas.read_parquet(file)[features])`, or refused with the reason."""

import io
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import users_code
from as_the_service import Reading, fit, register
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from rowcast.csv.chunker import Chunker
from rowcast.errors import RowcastError
from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_set import ModelSet
from rowcast.scoring.score_chunk import ChunkSpec, score
from worker.conversion.features_by_name import features_by_name
from worker.conversion.parquet_rows import ParquetRows

ROWS = 400
RANDOM = np.random.default_rng(5)
FLOATS = RANDOM.normal(size=ROWS) * 10.0 ** RANDOM.integers(-12, 12, ROWS)
INTEGERS = RANDOM.integers(-(10**6), 10**6, ROWS)
TOWNS = RANDOM.choice(["Aix", "Bonn", 'O"slo, N', " Rome "], ROWS)
TARGET = RANDOM.normal(size=ROWS)
PLAIN = Reading()
GAPS = RANDOM.random(ROWS) < 0.2


def converted(model: LoadedModel, file: bytes, chunk_rows: int) -> tuple[list[str], dict[int, str]]:
    """Returns the prediction of each row as text, and why each bad row is bad, by index."""
    features = features_by_name(ModelSet((model.manifest,)))
    table = ParquetRows(io.BytesIO(file), features, 10_000)
    table.check()
    chunker = Chunker(
        delimiter=",",
        header=True,
        chunk_bytes=10**7,
        chunk_rows=chunk_rows,
        max_row_bytes=10**6,
        max_columns=10**4,
        on_header=None,
        keeps_blank_rows=True,
    )
    chunks = [*chunker.feed(table.header)]
    for rows in table.rows():
        chunks += chunker.feed(rows)
    chunks += chunker.end()
    assert chunker.header is not None
    options = Options.model_validate({"output": "predictions", "delimiter": ","})
    spec = ChunkSpec(chunker.header.columns, b"\n", options, "parquet", table.dtypes)
    parts = [score(chunk.data, chunk.first_row, model, spec) for chunk in chunks]
    faults = {fault.row - 1: f"{fault.column}: {fault.message}" for part in parts for fault in part.faults}
    return b"".join(part.data for part in parts).decode().splitlines(), faults


def compare(folder: Path, model: Any, sample: pd.DataFrame, table: pa.Table, read: Reading = PLAIN) -> dict[int, str]:
    """Registers the model with the sample as CSV, and compares the predictions of a Parquet file with the script's.

    Returns the bad rows.
    """
    (folder / "sample.csv").write_text(sample.to_csv(index=False))
    features = list(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(model, pd.read_csv(folder / "sample.csv", **read.for_pandas)[features], TARGET[: len(sample)])
    served = register(folder, model, folder / "sample.csv", read)
    pq.write_table(table, folder / "file.parquet", row_group_size=150)
    for chunk_rows in (64, 10**6):
        got, faults = converted(served, (folder / "file.parquet").read_bytes(), chunk_rows)
        frame = pd.read_parquet(folder / "file.parquet")[features]
        good = [row for row in range(len(frame)) if row not in faults]
        expected = model.predict(frame.iloc[good]) if faults else model.predict(frame)
        assert [got[row] for row in good] == [repr(float(value)) for value in expected]
    return faults


def linear() -> Any:
    return make_pipeline(SimpleImputer(), StandardScaler(), LinearRegression())


def encoded() -> Any:
    return make_pipeline(OneHotEncoder(handle_unknown="ignore", sparse_output=False), LinearRegression())


NUMBERS = {
    "float64": pa.array(FLOATS),
    "float64 with nulls and NaN": pa.array([None if gap else value for gap, value in zip(GAPS, FLOATS, strict=True)]),
    "NaN": pa.array(np.where(GAPS, np.nan, FLOATS)),
    "float32": pa.array(FLOATS.astype("float32")),
    "float32 with nulls": pa.array(FLOATS.astype("float32"), mask=GAPS),
    "whole floats": pa.array(np.round(FLOATS)),
    "int64": pa.array(INTEGERS),
    "int64 with nulls": pa.array(INTEGERS, mask=GAPS),
    "int32": pa.array(INTEGERS.astype("int32")),
    "uint8": pa.array(np.abs(INTEGERS % 200).astype("uint8")),
    "decimals": pa.array([Decimal(int(value)) / 100 for value in INTEGERS]),
    "numbers as text": pa.array([repr(float(value)) for value in FLOATS]),
    "nulls only": pa.nulls(ROWS),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_the_scripts_to_the_last_bit(tmp_path: Path, name: str) -> None:
    sample = pd.DataFrame({"x": np.where(GAPS, np.nan, FLOATS), "y": FLOATS[::-1]})
    table = pa.table({"y": pa.array(FLOATS[::-1]), "x": NUMBERS[name], "carried": pa.array(TOWNS)})
    assert compare(tmp_path, linear(), sample, table) == {}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_script_that_computes_in_single_precision_is_followed(tmp_path: Path, dtype: str) -> None:
    small = np.clip(FLOATS, -1e4, 1e4)
    sample = pd.DataFrame({"x": small, "y": small[::-1]})
    table = pa.table({name: pa.array(sample[name].to_numpy().astype(dtype)) for name in sample})
    assert compare(tmp_path, linear(), sample, table) == {}


def test_whole_numbers_keep_their_width(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(users_code.as_python_text), encoded())
    sample = pd.DataFrame({"x": RANDOM.integers(0, 5, ROWS)})
    for dtype in ("int64", "int16", "uint32"):
        assert compare(tmp_path, model, sample, pa.table({"x": pa.array(sample["x"].astype(dtype))})) == {}


TEXTS = {
    "text": pa.array(TOWNS),
    "large text": pa.array(TOWNS, pa.large_string()),
    "a dictionary": pa.array(TOWNS).dictionary_encode(),
    "with nulls": pa.array(TOWNS, mask=GAPS),
    "text that a CSV takes for missing": pa.array(["NA", "null", "nan", "Aix"] * (ROWS // 4)),
    "text that looks like numbers": pa.array(["1e5", "01067", "1", "Aix"] * (ROWS // 4)),
    "line ends and quotes": pa.array(["a\nb", "a\r\nb", '"', '""'] * (ROWS // 4)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_the_scripts(tmp_path: Path, name: str) -> None:
    known = ["Aix", "Bonn", 'O"slo, N', " Rome ", "1e5", "01067", "a\nb", '"']
    sample = pd.DataFrame({"x": [*known * (ROWS // 8)], "y": FLOATS})
    sample.loc[[3, 77], "x"] = None
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["x"]), remainder="passthrough"),
        LinearRegression(),
    )
    assert compare(tmp_path, model, sample, pa.table({"x": TEXTS[name], "y": pa.array(FLOATS)})) == {}


def test_an_empty_text_is_a_bad_row(tmp_path: Path) -> None:
    sample = pd.DataFrame({"x": TOWNS, "y": FLOATS})
    sample.loc[[3, 77], "x"] = None
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["x"]), remainder="passthrough"),
        LinearRegression(),
    )
    texts = [*TOWNS[:-3], "", 'x,"",y', None]
    faults = compare(tmp_path, model, sample, pa.table({"x": pa.array(texts), "y": pa.array(FLOATS)}))
    assert faults == {ROWS - 3: faults[ROWS - 3]}
    assert "write a null" in faults[ROWS - 3]


def test_booleans_are_the_scripts(tmp_path: Path) -> None:
    flags = RANDOM.random(ROWS) < 0.5
    sample = pd.DataFrame({"x": flags, "y": FLOATS})
    table = pa.table({"x": pa.array(flags[::-1]), "y": pa.array(FLOATS)})
    assert compare(tmp_path, HistGradientBoostingRegressor(max_iter=5), sample, table) == {}


DATES = pd.date_range("2019-01-01", periods=ROWS, freq="11h")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_are_the_scripts(tmp_path: Path, unit: str) -> None:
    model = make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression())
    sample = pd.DataFrame({"x": DATES})
    table = pa.table({"x": pa.array(DATES[::-1].floor("s"), pa.timestamp(unit))})
    assert compare(tmp_path, model, sample, table, Reading(parse_dates=("x",), kinds={"x": "date"})) == {}


MISFITS = {
    "text where numbers were": ("x", pa.array([1, 2]), "convert the column to text"),
    "floats where text was": ("x", pa.array([1.5, 2]), "convert the column to text"),
    "dates where text was": ("x", pa.array([DATES[0], DATES[1]]), "convert the column to text"),
    "booleans where text was": ("x", pa.array([True, False]), "convert the column to text"),
    "bytes": ("carried", pa.array([b"a", b"b"]), "drop it, or write it as text"),
    "structs": ("carried", pa.array([{"a": 1}, {"a": 2}]), "drop it, or write it as text"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_type_that_would_mean_something_else_is_refused(tmp_path: Path, name: str) -> None:
    sample = pd.DataFrame({"x": TOWNS})
    (tmp_path / "sample.csv").write_text(sample.to_csv(index=False))
    model = fit(encoded(), sample, TARGET)
    served = register(tmp_path, model, tmp_path / "sample.csv", Reading())
    column, values, words = MISFITS[name]
    pq.write_table(pa.table({"x": pa.array(["Aix", "Bonn"])} | {column: values}), tmp_path / "file.parquet")
    with pytest.raises(RowcastError, match=words):
        converted(served, (tmp_path / "file.parquet").read_bytes(), 64)


def test_the_fields_are_what_pandas_writes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "float": [0.1, 3.0, 1e20, None],
            "narrow": np.array([0.1, 3.0, 1e20, np.nan], "float32"),
            "flag": [True, False, None, True],
            "text": ["", "NA", 'a"b', None],
            "day": pd.to_datetime(["2024-01-01 10:00", "2024-01-01 10:00:00.25", None, "2024-02-29"], format="ISO8601"),
        }
    )
    frame.index = [7, 8, 9, 10]
    frame.to_parquet(tmp_path / "file.parquet")
    table = ParquetRows(io.BytesIO((tmp_path / "file.parquet").read_bytes()), {}, 100)
    assert table.header == b"float,narrow,flag,text,day\n"
    assert b"".join(table.rows()).decode().split("\n") == [
        '0.1,0.1,true,"",2024-01-01 10:00:00',
        "3.0,3.0,false,NA,2024-01-01 10:00:00.250000",
        '1e+20,1e+20,,"a""b",',
        ",,true,,2024-02-29 00:00:00",
        "",
    ]
