"""Bytes into tables: pandas' parser and the exact one must agree, and the exact one with Python."""

import math

import csv_reference
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv import scan
from rowcast.jobs.options import Options
from rowcast.models.cells import NA_TEXTS
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.scoring import feature_columns as columns_module
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.cell_types import convert
from rowcast.scoring.table import Rows, read, table_of_values

FLOATS = st.floats().map(repr) | st.floats(-1000, 1000).map(lambda value: f"{value:.3f}") | st.integers().map(str)
ODDITIES = st.sampled_from(
    ["", " ", "nan", "NaN", "-nan", " nan", "inf", "-Infinity", "infinit", "1e400", "1_000", "1__0", "_1", "+-1",
     "0x10", "1d5", "1e", "1e+", ".", "+", "1.", ".5", "+.5e-3", " 1 ", "\t2", "2\x0b", "1 2", "1e 5", "1,0", "1;0",
     "\u0661\u0662", "\u00a01", "1\u2003", "\x1c1", "\x1f1", "\x851", "\ufeff1", "True", "false", "TRUE", "tRue",
     "None", "NA", "null", "1L", "1f", "1j", "(1)", "1%", "--1", "- 1", "0b1", "1e99999", "1e-99999", "#N/A",
     "9007199254740993", "1" * 400, "2" * 25]
)  # fmt: skip
LETTERS = st.text(st.sampled_from("0123456789+-.eE _naifNI\t"), max_size=8)
BAD = object()
OPTIONS = Options(delimiter=",")
READING = Reading(na_texts=frozenset(NA_TEXTS))
cells = FLOATS | ODDITIES | LETTERS | st.sampled_from(["0", "1", "true", "false"])
features = st.tuples(st.sampled_from(["number", "text", "boolean"]), st.booleans()).map(
    lambda kind: Feature(name="x", kind=kind[0], missing=kind[1])
)


def manifest(*known: Feature) -> Manifest:
    return Manifest(
        name="m",
        version="1",
        sha256="0" * 64,
        created_at="2026-01-01T00:00:00Z",
        task="regression",
        features=list(known),
        libraries={},
    )


def loaded(*known: Feature, container: str = "frame") -> LoadedModel:
    return LoadedModel(manifest(*known), None, container)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',;"\r\n') or not cell.strip() else cell


def expected(cell: str, feature: Feature) -> object:
    """Returns what the contract says of a cell, or BAD."""
    if cell in NA_TEXTS:
        return math.nan if feature.missing else BAD
    if feature.kind == "text":
        return cell
    if feature.kind == "boolean":
        return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(cell.lower(), BAD)
    try:
        value = float(cell)
    except ValueError:
        return BAD
    if (
        "_" in cell or not cell.isascii() or not math.isfinite(value)
    ):  # `nan` as pandas does not spell it makes its column text
        return BAD
    return value


@given(st.lists(cells, min_size=1, max_size=6), features)
def test_cells_are_read_as_the_contract_says(column: list[str], feature: Feature) -> None:
    data = "".join(quoted(cell) + "\n" for cell in column).encode()
    found = read(data, ["x"], loaded(feature), Options(delimiter=","))
    wanted = [expected(cell, feature) for cell in column]
    assert found.good.tolist() == [row for row, value in enumerate(wanted) if value != BAD]
    assert [fault.row for fault in found.faults] == [row for row, value in enumerate(wanted) if value == BAD]
    assert [fault.value for fault in found.faults] == [column[fault.row] for fault in found.faults]
    assert isinstance(found.table, pd.DataFrame)
    fitting = [value for value in wanted if value != BAD]
    assert list(map(repr, found.table["x"].tolist())) == list(map(repr, fitting))
    boolean = "object" if feature.missing else "bool"
    assert found.table["x"].dtype == {"number": "float64", "text": "str", "boolean": boolean}[feature.kind]


@given(
    st.lists(st.lists(FLOATS | st.sampled_from(["", "nan", "0", "1"]), min_size=3, max_size=3), min_size=1, max_size=6)
)
def test_the_quick_way_and_the_exact_way_make_the_same_table(table: list[list[str]]) -> None:
    known = [Feature(name=name, kind="number", missing=True) for name in "abc"]
    data = "".join(",".join(row) + "\r\n" for row in table).encode()
    quick = columns_module._parsed(data, known, [0, 1, 2], READING)
    exact = [
        convert(feature, column, READING)
        for feature, column in zip(known, columns_module._texts(data, [0, 1, 2], ","), strict=True)
    ]
    if quick is not None:
        for one, (other, misfits) in zip(quick, exact, strict=True):
            assert not misfits
            assert np.array_equal(one, other, equal_nan=True)
            assert np.signbit(one).tolist() == np.signbit(other).tolist()


@given(st.dictionaries(st.tuples(st.integers(0, 99), st.integers(0, 3)), cells, max_size=10))
def test_compiled_code_and_the_parser_make_the_same_columns(odd: dict[tuple[int, int], str]) -> None:
    known = [Feature(name="a", kind="number", missing=True), Feature(name="b", kind="integer", missing=False)]
    known += [Feature(name="c", kind="text", missing=False), Feature(name="d", kind="number", missing=False)]
    table = [[f"{row / 7}", f"{row}", f"t{row}", f"-{row}e-3"] for row in range(100)]
    for (row, column), cell in odd.items():
        table[row][column] = cell
    data = "".join(",".join(map(quoted, row)) + "\n" for row in table).encode()
    fields = scan.split(data, scan.quoted(data, ","), ",", 4)
    rows, places = np.arange(100), [0, 1, 2, 3]
    compiled = columns_module.read_columns(data, fields, rows, known, places=places, reading=READING)
    parsed = columns_module._parsed_or_converted(data, fields.lines, rows, known, places=places, reading=READING)
    assert compiled[1] == parsed[1]
    for column, other in zip(compiled[0], parsed[0], strict=True):
        good = [row for row in range(100) if row not in parsed[1]]
        assert [repr(column[row]) for row in good] == [repr(other[row]) for row in good]
        assert column.dtype == other.dtype


PIECES = [
    "a",
    "1",
    "é",
    " ",
    ",",
    ",",
    ",",
    "\n",
    "\n",
    "\r\n",
    "\r",
    '"',
    '""',
    '"x, y"',
    '"p\nq"',
    ',"',
    '",',
    "\ufeff",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.integers(1, 3))
def test_texts_are_those_of_the_reader_letter_by_letter(text: str, columns: int) -> None:
    rows, is_open = csv_reference.read(text, ",")
    if is_open:
        return  # the chunker has refused it
    names = ["a", "b", "c"][:columns]
    known = loaded(*(Feature(name=name, kind="text", missing=True) for name in reversed(names)), container="array")
    found = read(text.encode(), names, known, Options(delimiter=","))
    good = [index for index, row in enumerate(rows) if len(row.fields) == columns and not row.lone_return]
    assert found.good.tolist() == good
    wanted = [[cell or None for cell in reversed(rows[index].fields)] for index in good]
    assert [[None if pd.isna(cell) else cell for cell in row] for row in found.table.tolist()] == wanted
    assert len(found.fields.lines) == len(rows)
    assert [fault.row for fault in found.faults] == [index for index in range(len(rows)) if index not in good]


def faults_of(found: Rows) -> list[tuple[int, str, str, str]]:
    return [(fault.row, fault.column, fault.value, fault.message) for fault in found.faults]


def test_each_bad_row_has_one_fault_and_says_why() -> None:
    known = loaded(
        Feature(name="n", kind="number", missing=False),
        Feature(name="m", kind="number", missing=True),
        Feature(name="f", kind="boolean", missing=True),
        Feature(name="t", kind="text", missing=False),
    )
    data = (
        b"t,TRUE,x,1\n"  # m is not a number
        b"t,yes,,\n"  # n comes first
        b",0,1,1\n"
        b"t,maybe,nan,2\n"
        b"t,1,1\n"
        b"t,1,1,1,1\n"
        b"t,1\r,1,1\n"
        b"t,1,1,nan\n"
        b"t,1,inf,1\n"
        b"t,False,,1e3\r\n"
    )
    found = read(data, ["t", "f", "m", "n"], known, Options(delimiter=","))
    empty = "empty, and the model does not accept a missing value here"
    a_number = "not a number; if it means missing, leave the cell empty or list its text in na_values"
    assert faults_of(found) == [
        (0, "m", "x", a_number),
        (1, "n", "", empty),
        (2, "t", "", empty),
        (3, "f", "maybe", "not a boolean: write true, false, 1 or 0"),
        (4, "", "", "has 3 fields, the header has 4"),
        (5, "", "", "has 5 fields, the header has 4"),
        (6, "", "", "has a carriage return outside quotes; rows end in LF or CRLF"),
        (7, "n", "nan", "'nan' means missing, and the model does not accept a missing value here"),
        (8, "m", "inf", "not a finite number"),
    ]
    assert found.good.tolist() == [9]
    row = found.table.iloc[0].tolist()
    assert row[0] == 1000.0
    assert math.isnan(row[1])
    assert row[2:] == [False, "t"]


def test_without_a_header_a_short_row_is_told_what_there_should_be() -> None:
    known = loaded(Feature(name="a", kind="number", missing=False), Feature(name="b", kind="number", missing=False))
    found = read(b"1,2\n1\n", ["a", "b"], known, Options(header=False, delimiter=","))
    assert faults_of(found) == [(1, "", "", "has 1 field, not 2")]


@pytest.mark.parametrize("container", ["frame", "array"])
def test_checked_values_make_the_table_that_their_csv_makes(container: str) -> None:
    known = loaded(
        Feature(name="n", kind="number", missing=True),
        Feature(name="t", kind="text", missing=True),
        Feature(name="f", kind="boolean", missing=True),
        Feature(name="g", kind="boolean", missing=False),
        container=container,
    )
    values = [[1, "x", True, False], [None, None, None, True], [2.5, "é", False, True]]
    from_csv = read(b"1,x,true,0\n,,,1\n2.5,\xc3\xa9,0,1\n", ["n", "t", "f", "g"], known, Options(delimiter=",")).table
    from_json, faults = table_of_values(values, known)
    assert not faults
    if isinstance(from_csv, pd.DataFrame):
        pd.testing.assert_frame_equal(from_csv, from_json)
    else:
        assert repr(from_csv.tolist()) == repr(from_json.tolist())
        assert from_csv.dtype == from_json.dtype == object


def test_a_table_of_numbers_without_names_is_an_array_of_floats() -> None:
    columns = [Feature(name=name, kind="number", missing=True) for name in "ab"]
    table, _ = table_of_values([[1, None], [2, 3]], loaded(*columns, container="array"))
    assert isinstance(table, np.ndarray)
    assert table.dtype == np.float64
    assert table_of_values([], loaded(*columns))[0].shape == (0, 2)


def test_a_number_that_was_named_as_missing_is_missing_in_json_too() -> None:
    model = loaded(Feature(name="a", kind="number", missing=True))
    named = model.manifest.model_copy(update={"na_values": ["", "-999"]})
    table, faults = table_of_values([[-999], [-999.0], [3]], LoadedModel(named, None, "frame"))
    assert not faults
    assert table["a"].isna().tolist() == [True, True, False]


def test_a_chunk_of_five_thousand_columns_has_the_numbers_and_names_the_bad_cell() -> None:
    known = [Feature(name=f"x{number}", kind="number", missing=number % 2 == 1) for number in range(5_000)]
    numbers = np.random.default_rng(0).normal(size=(4, len(known)))
    lines = [",".join(map(repr, row)) for row in numbers.tolist()]
    names = tuple(feature.name for feature in known)
    rows = read("\n".join(lines).encode(), names, loaded(*known, container="array"), OPTIONS)
    assert rows.table.tobytes() == numbers.tobytes()
    lines[2] = lines[2].rpartition(",")[0] + ",many"
    (bad,) = read("\n".join(lines).encode(), names, loaded(*known), OPTIONS).faults
    assert (bad.row, bad.column, bad.value) == (2, "x4999", "many")


TYPED_CELLS = {
    "uint64": (["18446744073709551615", "9007199254740993", "7.0"], ["", "2.5", "-1", "18446744073709551616", "1e400"]),
    "int32": (["-2147483648", "5e0", " 7 "], ["", "2.5", "2147483648", "nan", "true"]),
    "uint8": (["0", "255"], ["256", "-1"]),
    "float32": (["3.4028235e38", "0.1", ""], ["3.5e38", "-1e300", "x"]),
    "float16": (["65504.0", "-0.5"], ["65520", "1e9"]),
}


@pytest.mark.parametrize("dtype", TYPED_CELLS)
def test_bad_rows_do_not_change_the_others_in_a_typed_column(dtype: str) -> None:
    """A corrected row may have any cell."""
    good, bad = TYPED_CELLS[dtype]
    known = Feature(name="c", kind="category", categories=["a"], missing=False)
    model = loaded(Feature(name="x", kind="number", missing=True), known)
    whole = "".join(f"{cell},a\n" for cell in good)
    found = [
        read((whole + rest).encode(), ["x", "c"], model, OPTIONS, format="parquet", dtypes={"x": dtype})
        for rest in ("", "1,b\n", *(f"{cell},a\n" for cell in bad))
    ]
    wanted = np.array(
        [
            float(cell or "nan") if "float" in dtype else int(cell.replace("5e0", "5").removesuffix(".0"))
            for cell in good
        ],
        dtype,
    )
    for rows in found:
        assert rows.table["x"].dtype == dtype
        np.testing.assert_array_equal(rows.table["x"], wanted)
    assert [[fault.row for fault in rows.faults] for rows in found] == [[], *[[len(good)]] * (len(bad) + 1)]


def test_whole_numbers_with_nulls_are_narrow_only_for_whole_numbers() -> None:
    for kind, dtype, table in (("integer", "uint8", [1]), ("number", "float64", [1, math.nan])):
        model = loaded(Feature(name="x", kind=kind, missing=kind == "number"))
        found = read(b"1,0\n,0\n", ["x", "y"], model, OPTIONS, format="parquet", dtypes={"x": "UInt8"})
        assert found.table["x"].dtype == dtype
        np.testing.assert_array_equal(found.table["x"], table)


@pytest.mark.parametrize(("unit", "bad"), [("ns", "3000-01-01 10:00:00.0"), ("s", "2024-01-01 10:00:00.5")])
def test_a_date_that_does_not_fit_into_the_unit_of_the_file_is_a_bad_cell(unit: str, bad: str) -> None:
    form = "%Y-%m-%d %H:%M:%S.%f"
    model = loaded(Feature(name="x", kind="date", missing=True, dtype="datetime64[us]", date_format=form))
    data = f"2024-01-01 10:00:00.0,0\n{bad},0\n,0\n".encode()
    found = read(data, ["x", "y"], model, OPTIONS, format="parquet", dtypes={"x": f"datetime64[{unit}]"})
    assert found.table["x"].dtype == f"datetime64[{unit}]"
    assert found.table["x"].tolist() == [pd.Timestamp("2024-01-01 10:00"), pd.NaT]
    assert [(fault.row, fault.value) for fault in found.faults] == [(1, bad)]


def test_a_number_over_the_limit_is_named_as_it_was_sent() -> None:
    model = loaded(Feature(name="x", kind="number", missing=True, largest=2**31 - 1))
    found = read(b'0,1\n0,2147483648\n0,"-3e9"\n', ["y", "x"], model, OPTIONS)
    assert [(fault.row, fault.value) for fault in found.faults] == [(1, "2147483648"), (2, "-3e9")]
