import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fitting.column_kinds import feature, is_empty, kind_of, number, odd_cell, series


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e4", ".5", "+7", " 8 "], "number"),
        (["1", None, "2"], "number"),
        (["1", "nan", "NaN", "-NAN"], "number"),
        ([None, None], "number"),
        (["1", "inf"], "text"),
        (["1", "-Infinity"], "text"),
        (["1", "1e400"], "text"),
        (["1_000", "2"], "text"),
        (["0x10"], "text"),
        (["1", "NA"], "text"),
        (["1", "None"], "text"),
        (["1", " "], "text"),
        (["true", "FALSE", "True"], "boolean"),
        (["true", None], "boolean"),
        (["true", "yes"], "text"),
        (["true", "1"], "text"),
        (["0", "1"], "number"),
        (["a", "b"], "text"),
    ],
)
def test_the_kind_of_a_column_follows_from_all_of_its_cells(cells, kind):
    assert kind_of(cells) == kind


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_it_was_written(value):
    assert number(repr(value)) == value
    assert kind_of([repr(value)]) == "number"


@given(st.lists(st.none() | st.text(alphabet="0123456789.eE+-_ naifNAIFtrue\u0661", max_size=8), min_size=1))
def test_every_column_makes_a_series_of_its_kind(cells):
    cells = [cell or None for cell in cells]
    column = series(cells, kind_of(cells))
    assert len(column) == len(cells)
    assert {"float64": "number", "bool": "boolean"}.get(str(column.dtype), kind_of(cells)) == kind_of(cells)
    if column.dtype == "float64":
        assert not np.isinf(column).any()


def test_missing_cells_are_nan_in_every_kind():
    assert np.isnan(series(["1", None], "number")[1])
    assert series(["true", None], "boolean").isna().tolist() == [False, True]
    assert series(["a", None], "text").isna().tolist() == [False, True]
    assert series(["true", "false"], "boolean").dtype == "bool"
    assert series(["a", "NA"], "text").tolist() == ["a", "NA"]


def test_few_values_of_text_are_told_and_many_are_not():
    assert feature("f", ["b", "a", None, "b"]).categories == ["a", "b"]
    assert feature("f", [f"value {n}" for n in range(51)]).categories is None
    assert feature("f", ["1", "2"]).categories is None


def test_a_column_that_one_cell_makes_text_is_noticed():
    assert odd_cell(["1"] * 10 + ["n/a"]) == (11, "n/a")
    assert odd_cell(["1", "a", "b"]) is None
    assert is_empty([None, "nan"])
    assert not is_empty([None, "a"])
