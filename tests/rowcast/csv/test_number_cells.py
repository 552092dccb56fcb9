"""Numbers read by compiled code: with the bits of Python's `float` and of pandas, or doubtful."""

import io
import math
import random
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv import number_cells, scan

LETTERS = st.text(st.sampled_from("0123456789+-.eE _nax"), max_size=24)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
WRITTEN = FLOATS.map(repr) | FLOATS.map(lambda value: f"{value:.17e}") | st.floats(-1e6, 1e6).map("{:.6f}".format)


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    number_cells.load()


def read(cells: list[str], *, gaps: bool = False) -> list[float | None]:
    """Returns the number that each cell is read as, in a file of this one column; None if it is doubtful."""
    data = "".join(f"{cell},\n" for cell in cells).encode()
    fields = scan.split(data, scan.quoted(data, ","), ",", 2)
    found = number_cells.read_numbers(data, fields, np.arange(len(cells)), [0], [gaps])
    assert found is not None
    doubtful = found.doubtful if found.doubtful is not None else np.zeros((1, len(cells)), np.bool_)
    pairs = zip(found.values[0].tolist(), doubtful[0].tolist(), strict=True)
    return [None if is_doubtful else value for value, is_doubtful in pairs]


def bits(values: list[float]) -> list[int]:
    return np.array(values).view(np.uint64).tolist()


@given(st.lists(LETTERS | WRITTEN | st.integers(-(10**20), 10**20).map(str), min_size=1, max_size=20))
def test_a_cell_has_the_bits_of_pythons_float_or_is_doubtful(cells: list[str]) -> None:
    for cell, value in zip(cells, read(cells), strict=True):
        if value is not None:
            assert bits([value]) == bits([float(cell)])
            assert "_" not in cell
            assert cell == cell.strip()
            assert math.isfinite(value)


def test_plain_numbers_are_not_doubtful() -> None:
    cells = ["0", "-0", "7", "-12.5", "+3", ".5", "-.5", "5.", "0.000123456789012345678", "1e5", "1E-5", "2.5e+10"]
    cells += ["1234567890123456789", "1.7976931348623157e308", "2.2250738585072014e-308", "00012", "0.1234567890123456"]
    assert [cell for cell, value in zip(cells, read(cells), strict=True) if value is None] == []


def test_other_cells_are_doubtful() -> None:
    cells = ["", "-", "+", ".", "-.", "e5", "1e", "1e+", "1.2.3", "1..2", "--1", "+-1", "1-", " 1", "1 ", "nan", "NA"]
    cells += ["inf", "1_0", "0x1", "1,5", '"1"', "1e400", "1e-400", "5e-324", "12345678901234567890", "é", "1e12345"]
    lone = [read([cell])[0] for cell in cells if "," not in cell]
    assert set(lone) == {None}


def test_an_empty_cell_is_missing_where_that_may_be() -> None:
    assert read(["1", "", "2"]) == [1.0, None, 2.0]
    (_, missing, _), (nan,) = read(["1", "", "2"], gaps=True), bits([np.nan])
    assert missing is not None
    assert bits([missing]) == [nan]


def test_numbers_between_two_floats_go_to_the_even_one() -> None:
    draw = random.Random(0)
    halves = [(2 * draw.randrange(2**52, 2**53) + 1) * 2 ** draw.randrange(9) for _ in range(2_000)]
    cells = [str(number + step) for number in halves for step in (-1, 0, 1)]
    cells += [f"{number * 5**4 // 10**4}.{number * 5**4 % 10**4:04}" for number in (2**53 + 1, 2**53 + 3)]
    values = read(cells)
    assert None not in values
    assert bits([value for value in values if value is not None]) == bits([float(cell) for cell in cells])


def test_numbers_have_the_bits_that_pandas_reads() -> None:
    draw = np.random.default_rng(0)
    normal = draw.normal(size=20_000)
    wide = (normal * 10.0 ** draw.integers(-40, 40, len(normal))).tolist()
    digits = draw.integers(0, 16, len(normal)).tolist()
    cells = [repr(value) for value in wide]
    cells += [f"{value:.{places}f}" for value, places in zip(normal.tolist(), digits, strict=True)]
    cells += [f"{value:.{places}e}" for value, places in zip(wide, digits, strict=True)]
    expected = pd.read_csv(io.StringIO("\n".join(cells)), header=None)[0].tolist()
    found = read(cells)
    assert None not in found
    assert bits([value for value in found if value is not None]) == bits(expected)


def test_columns_and_rows_are_found_by_their_places() -> None:
    rows = [["1.5", "x,y", "-2", "30.25"], ["4", "z", "", "6e1"], ["7", '"', "8", "9.75"]]
    data = "".join(f'{one},"{two.replace(chr(34), chr(34) * 2)}",{three},{four}\r\n' for one, two, three, four in rows)
    fields = scan.split(data.encode(), scan.quoted(data.encode(), ","), ",", 4)
    found = number_cells.read_numbers(data.encode(), fields, np.array([0, 2]), [3, 0, 2], [True] * 3)
    assert found is not None
    assert found.doubtful is None
    assert found.values.tolist() == [[30.25, 9.75], [1.5, 7.0], [-2.0, 8.0]]


def test_a_cell_at_either_end_of_the_data_is_read() -> None:
    for data in (b"1", b"-1", b"12345678901234567", b"0.12345678901234567", b"1\n2", b"5,6\n7,8"):
        fields = scan.split(data, scan.quoted(data, ","), ",", (data.count(b",") and 2) or 1)
        found = number_cells.read_numbers(data, fields, np.arange(len(fields.lines)), [0], [False])
        assert found is not None
        assert found.doubtful is None
        assert found.values[0].tolist() == [float(line.split(b",")[0]) for line in data.split(b"\n")]
        assert all(one < other for one, other in pairwise(fields.lines.starts.tolist()))
