"""Parquet files: predicted as by `model.predict(pandas.read_parquet(file)[features])`, or refused with the reason."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
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
from rowcast.errors import BrokenFile, RowcastError
from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature
from rowcast.models.model_set import ModelSet
from rowcast.scoring.score_chunk import ChunkSpec, score_each
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
DATES = pd.date_range("2019-01-01", periods=ROWS, freq="11h")


def converted(models: Sequence[LoadedModel], file: bytes, chunk_rows: int) -> tuple[list[str], dict[int, str]]:
    """Returns the predictions of each row as text, and why each bad row is bad, by index."""
    features = features_by_name(ModelSet(tuple(model.manifest for model in models)))
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
    parts = [score_each(chunk.data, chunk.first_row, models, spec) for chunk in chunks]
    faults = {fault.row - 1: f"{fault.column}: {fault.message}" for part in parts for fault in part.faults}
    return b"".join(part.data for part in parts).decode().splitlines(), faults


@dataclass(frozen=True)
class Served:
    """A fitted model, and what the service has registered of it."""

    model: Any
    loaded: LoadedModel
    features: list[str]
    folder: Path

    def compare(self, table: pa.Table) -> dict[int, str]:
        """Compares the predictions of a Parquet file with the script's, and returns the bad rows."""
        pq.write_table(table, self.folder / "file.parquet", row_group_size=150)
        frame = pd.read_parquet(self.folder / "file.parquet")[self.features]
        for chunk_rows in (64, 10**6):
            got, faults = converted([self.loaded], (self.folder / "file.parquet").read_bytes(), chunk_rows)
            good = [row for row in range(len(frame)) if row not in faults]
            expected = self.model.predict(frame.iloc[good] if faults else frame)
            assert [got[row] for row in good] == [repr(float(value)) for value in expected]
        return faults


def serve(folder: Path, model: Any, sample: pd.DataFrame, read: Reading = PLAIN) -> Served:
    """Registers a model with the sample as CSV."""
    (folder / "sample.csv").write_text(sample.to_csv(index=False))
    features = list(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(model, pd.read_csv(folder / "sample.csv", **read.for_pandas)[features], TARGET[: len(sample)])
    return Served(model, register(folder, model, folder / "sample.csv", read), features, folder)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Served:
    sample = pd.DataFrame({"x": np.where(GAPS, np.nan, FLOATS), "y": FLOATS[::-1]})
    return serve(tmp_path_factory.mktemp("numbers"), linear(), sample)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Served:
    known = ["Aix", "Bonn", 'O"slo, N', " Rome ", "1e5", "01067", "a\nb", '"']
    sample = pd.DataFrame({"x": [*known * (ROWS // 8)], "y": FLOATS})
    sample.loc[[3, 77], "x"] = None
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["x"]), remainder="passthrough"),
        LinearRegression(),
    )
    return serve(tmp_path_factory.mktemp("texts"), model, sample)


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Served:
    model = make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression())
    read = Reading(parse_dates=("x",), kinds={"x": "date"})
    return serve(tmp_path_factory.mktemp("dates"), model, pd.DataFrame({"x": DATES}), read)


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
def test_numbers_are_the_scripts_to_the_last_bit(numbers: Served, name: str) -> None:
    table = pa.table({"y": pa.array(FLOATS[::-1]), "x": NUMBERS[name], "carried": pa.array(TOWNS)})
    assert numbers.compare(table) == {}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_script_that_computes_in_single_precision_is_followed(tmp_path: Path, dtype: str) -> None:
    small = np.clip(FLOATS, -1e4, 1e4)
    sample = pd.DataFrame({"x": small, "y": small[::-1]})
    table = pa.table({name: pa.array(sample[name].to_numpy().astype(dtype)) for name in sample})
    assert serve(tmp_path, linear(), sample).compare(table) == {}


def test_whole_numbers_keep_their_width(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(users_code.as_python_text), encoded())
    sample = pd.DataFrame({"x": RANDOM.integers(0, 5, ROWS)})
    served = serve(tmp_path, model, sample)
    for dtype in ("int64", "int16", "uint32"):
        assert served.compare(pa.table({"x": pa.array(sample["x"].astype(dtype))})) == {}


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
def test_text_is_the_scripts(texts: Served, name: str) -> None:
    assert texts.compare(pa.table({"x": TEXTS[name], "y": pa.array(FLOATS)})) == {}


def test_an_empty_text_is_a_bad_row(texts: Served) -> None:
    cells = [*TOWNS[:-3], "", 'x,"",y', None]
    faults = texts.compare(pa.table({"x": pa.array(cells), "y": pa.array(FLOATS)}))
    assert faults == {ROWS - 3: faults[ROWS - 3]}
    assert "write a null" in faults[ROWS - 3]


def test_booleans_are_the_scripts(tmp_path: Path) -> None:
    flags = RANDOM.random(ROWS) < 0.5
    sample = pd.DataFrame({"x": flags, "y": FLOATS})
    table = pa.table({"x": pa.array(flags[::-1]), "y": pa.array(FLOATS)})
    assert serve(tmp_path, tree(), sample).compare(table) == {}


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32"])
def test_whole_numbers_overflow_as_in_the_script(tmp_path: Path, dtype: str) -> None:
    sample = pd.DataFrame({"x": [*range(1, 9)] * (ROWS // 8), "y": FLOATS})
    step = make_pipeline(FunctionTransformer(np.square), FunctionTransformer(np.negative))
    model = make_pipeline(make_column_transformer((step, ["x"]), remainder="passthrough"), tree())
    served = serve(tmp_path, model, sample)
    large = pa.array(np.resize([5, 200, 70_000, 2**31 - 1], ROWS).astype(dtype))
    nulls = pa.array(np.resize([5, 200], ROWS).astype(dtype), mask=GAPS)
    for column in (large, nulls):
        assert served.compare(pa.table({"x": column, "y": pa.array(FLOATS)})) == {}


def test_a_null_among_booleans_is_none_as_in_the_script(tmp_path: Path) -> None:
    sample = pd.DataFrame({"x": np.where(GAPS, None, FLOATS > 0), "y": FLOATS})
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["x"])
        ),
        LinearRegression(),
    )
    served = serve(tmp_path, model, sample)
    assert served.compare(pa.table({"x": pa.array(FLOATS > 1, mask=GAPS), "y": pa.array(FLOATS)})) == {}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_have_the_unit_of_the_file(tmp_path: Path, unit: str) -> None:
    model = make_pipeline(FunctionTransformer(users_code.date_numbers), tree())
    read = Reading(parse_dates=("x",), kinds={"x": "date"})
    served = serve(tmp_path, model, pd.DataFrame({"x": DATES.floor("s")}), read)
    assert served.compare(pa.table({"x": pa.array(DATES[::-1].floor("s"), pa.timestamp(unit))})) == {}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_are_the_scripts(dates: Served, unit: str) -> None:
    assert dates.compare(pa.table({"x": pa.array(DATES[::-1].floor("s"), pa.timestamp(unit))})) == {}


MISFITS = {
    "text where numbers were": ("x", pa.array([1, 2]), "convert the column to text"),
    "floats where text was": ("x", pa.array([1.5, 2]), "convert the column to text"),
    "dates where text was": ("x", pa.array([DATES[0], DATES[1]]), "convert the column to text"),
    "booleans where text was": ("x", pa.array([True, False]), "convert the column to text"),
    "lists": ("x", pa.array([["Aix"], []]), "no cell of a table can hold"),
    "bytes": ("x", pa.array([b"a", b"b"]), "no cell of a table can hold"),
}


def test_another_time_zone_is_refused(tmp_path: Path) -> None:
    """The script would predict with the hours of that zone."""
    model = make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression())
    read = Reading(parse_dates=("x",), kinds={"x": "date"})
    served = serve(tmp_path, model, pd.DataFrame({"x": DATES.strftime("%Y-%m-%dT%H:%M:%SZ")}), read)
    in_utc = DATES.tz_localize("UTC")
    assert served.compare(pa.table({"x": pa.array(in_utc)})) == {}
    with pytest.raises(
        RowcastError, match=r"has the time zone Europe/Berlin, but .* registered with the time zone UTC"
    ):
        served.compare(pa.table({"x": pa.array(in_utc.tz_convert("Europe/Berlin"))}))
    with pytest.raises(RowcastError, match="has no time zone, but"):
        served.compare(pa.table({"x": pa.array(DATES)}))


@pytest.mark.parametrize("name", MISFITS)
def test_a_type_that_would_mean_something_else_is_refused(texts: Served, tmp_path: Path, name: str) -> None:
    column, values, words = MISFITS[name]
    table = pa.table({"x": pa.array(["Aix", "Bonn"]), "y": pa.array([1.5, 2.5])} | {column: values})
    pq.write_table(table, tmp_path / "file.parquet")
    with pytest.raises(RowcastError, match=words):
        converted([texts.loaded], (tmp_path / "file.parquet").read_bytes(), 64)


def assert_both_as_scripts(both: list[Served], table: pa.Table) -> None:
    """Compares the predictions of two models in one pass with those of two scripts."""
    pq.write_table(table, both[0].folder / "file.parquet")
    frame = pd.read_parquet(both[0].folder / "file.parquet")
    got, faults = converted([one.loaded for one in both], (both[0].folder / "file.parquet").read_bytes(), 64)
    expected = zip(*(one.model.predict(frame[one.features]).tolist() for one in both), strict=True)
    assert (faults, got) == ({}, [f"{first!r},{second!r}" for first, second in expected])


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def tree() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=5)


def test_two_models_read_one_column_of_booleans_in_their_own_words(tmp_path: Path) -> None:
    flags = RANDOM.random(ROWS) < 0.5
    words = {"true_values": ["yes"], "false_values": ["no"]}
    one = serve(made(tmp_path / "one"), tree(), pd.DataFrame({"x": flags, "y": FLOATS}))
    other = serve(
        made(tmp_path / "other"),
        tree(),
        pd.DataFrame({"x": np.where(flags, "no", "yes"), "y": FLOATS}),
        Reading(kinds={"x": "boolean"}, more=words),
    )
    assert one.loaded.manifest.features[0].true_texts != other.loaded.manifest.features[0].true_texts
    assert_both_as_scripts([one, other], pa.table({"x": pa.array(flags[::-1]), "y": pa.array(FLOATS)}))


@pytest.mark.parametrize("stated", [False, True])
def test_nulls_of_many_columns_are_found_in_any_row_group(tmp_path: Path, stated: bool) -> None:
    masks = {f"x{place}": np.arange(ROWS) == place for place in range(0, 2 * ROWS, 40)}  # half of them have a null
    table = pa.table({name: pa.array(np.arange(ROWS, dtype="int32"), mask=mask) for name, mask in masks.items()})
    pq.write_table(table, tmp_path / "file.parquet", row_group_size=150, write_statistics=stated)
    data = (tmp_path / "file.parquet").read_bytes()
    known = {name: (Feature(name=name, kind="number", missing=True),) for name in masks}
    assert ParquetRows(io.BytesIO(data), known, 100).dtypes == {
        name: "int32" for name, mask in masks.items() if not mask.any()
    }
    if not stated:
        with pytest.raises(BrokenFile):
            _ = ParquetRows(io.BytesIO(b"PAR1" + bytes(len(data) // 2) + data[len(data) // 2 :]), known, 100).dtypes


@pytest.mark.parametrize("gaps", [False, True])
def test_two_models_read_narrow_whole_numbers_in_their_own_types(tmp_path: Path, gaps: bool) -> None:
    whole = make_pipeline(FunctionTransformer(users_code.as_python_text), encoded())
    one = serve(made(tmp_path / "one"), whole, pd.DataFrame({"x": INTEGERS % 5}))
    other = serve(made(tmp_path / "other"), linear(), pd.DataFrame({"x": np.where(GAPS, np.nan, FLOATS)}))
    assert [one.loaded.manifest.features[0].kind, other.loaded.manifest.features[0].kind] == ["integer", "number"]
    table = pa.table({"x": pa.array((INTEGERS % 5).astype("uint8"), mask=GAPS if gaps else None)})
    if not gaps:
        assert_both_as_scripts([one, other], table)
        return
    pq.write_table(table, tmp_path / "file.parquet")
    got, faults = converted([one.loaded, other.loaded], (tmp_path / "file.parquet").read_bytes(), 64)
    assert list(faults) == np.flatnonzero(GAPS).tolist()
    wanted = other.model.predict(pd.read_parquet(tmp_path / "file.parquet"))
    kept = np.flatnonzero(~GAPS).tolist()
    assert [got[row].split(",")[1] for row in kept] == [repr(float(wanted[row])) for row in kept]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_two_models_read_one_column_of_dates_in_their_own_forms(tmp_path: Path, zone: str | None) -> None:
    marks = ["Z", "+0000"] if zone else ["", ""]
    forms = [f"%Y-%m-%d %H:%M:%S{marks[0]}", f"%m/%d/%Y %H:%M{marks[1]}"]
    served = []
    for number, form in enumerate(forms):
        model = make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression())
        sample = pd.DataFrame({"x": DATES.strftime(form)})
        read = Reading(parse_dates=("x",), kinds={"x": "date"})
        served.append(serve(made(tmp_path / str(number)), model, sample, read))
    assert served[0].loaded.manifest.features[0].date_format != served[1].loaded.manifest.features[0].date_format
    assert_both_as_scripts(served, pa.table({"x": pa.array((DATES.tz_localize(zone) if zone else DATES)[::-1])}))


NESTED = {
    "lists of numbers": (pa.array([[1, 2], [], None, [None, -3]]), ["[1,2]", "[]", "", "[null,-3]"]),
    "lists of floats": (
        pa.array([[0.1, float("nan")], [1e300], None, [float("inf"), 2.0]]),
        ["[0.1,null]", "[1e+300]", "", "[null,2.0]"],
    ),
    "large lists of float16": (
        pa.array([[0.5], None, [1.5, 2.5], []], pa.large_list(pa.float16())),
        ["[0.5]", "", "[1.5,2.5]", "[]"],
    ),
    "lists of texts": (pa.array([["a", 'b"c', "é"], [], None, [""]]), ['["a","b\\"c","é"]', "[]", "", '[""]']),
    "fixed lists": (
        pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int8(), 2)),
        ["[1,2]", "", "[3,4]", "[5,6]"],
    ),
    "structs": (
        pa.array([{"a": 1, "b": [Decimal("1.50")]}, None, {"a": None, "b": []}, {"a": 2, "b": None}]),
        ['{"a":1,"b":["1.50"]}', "", '{"a":null,"b":[]}', '{"a":2,"b":null}'],
    ),
    "structs with dates": (
        pa.array([{"t": DATES[0], "s": pd.Timedelta("1h")}] * 4),
        ['{"t":"2019-01-01T00:00:00","s":"0 days 01:00:00"}'] * 4,
    ),
    "maps": (
        pa.array([[("a", 1.5), ("b", float("nan"))], None, [], [("c", None)]], pa.map_(pa.string(), pa.float64())),
        ['{"a":1.5,"b":null}', "", "{}", '{"c":null}'],
    ),
    "bytes": (pa.array([b"\x00\xff", None, b"", b"abc"]), ["AP8=", "", "", "YWJj"]),
    "durations": (
        pa.array([pd.Timedelta("26h"), None, pd.Timedelta("1us"), pd.Timedelta(0)]),
        ["1 days 02:00:00", "", "0 days 00:00:00.000001", "0 days 00:00:00"],
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_column_that_no_cell_can_hold_comes_back_as_text(tmp_path: Path, name: str) -> None:
    """A slice is written first, as an array may begin in the middle of its buffers."""
    column, wanted = NESTED[name]
    for some in (slice(0, 4), slice(1, 3)):
        pq.write_table(pa.table({"x": column[some], "y": pa.array(range(4))[some]}), tmp_path / "file.parquet")
        table = ParquetRows(io.BytesIO((tmp_path / "file.parquet").read_bytes()), {}, 100)
        table.check()
        rows = pd.read_csv(io.BytesIO(table.header + b"".join(table.rows())), dtype=str, keep_default_na=False)
        assert rows["x"].tolist() == wanted[some]
        assert rows["y"].tolist() == ["0", "1", "2", "3"][some]


def test_a_column_that_no_cell_can_hold_does_not_change_a_prediction(texts: Served) -> None:
    column = pa.array([list(range(row % 7)) for row in range(ROWS)])
    table = pa.table({"x": pa.array(TOWNS), "embedding": column, "y": pa.array(FLOATS)})
    assert texts.compare(table) == {}


def test_long_lists_are_read_a_few_rows_at_a_time(tmp_path: Path) -> None:
    """Memory does not grow with the length of a list."""
    pq.write_table(pa.table({"x": pa.array([[1.0] * 4096] * 500)}), tmp_path / "file.parquet")
    table = ParquetRows(io.BytesIO((tmp_path / "file.parquet").read_bytes()), {}, 100)
    assert max(rows.count(b"\n") for rows in table.rows()) == 64


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
