"""What a cell means: one set of rules, which are those of pandas."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from rowcast.models import cells
from rowcast.models.model_manifest import Feature
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.cell_types import convert

TEXTS = st.text(alphabet="0123456789.eE+-_ naifNAIFtrue\u0661", max_size=8)


def test_the_cells_that_mean_missing_are_those_of_pandas():
    assert set(cells.NA_TEXTS) == set(STR_NA_VALUES)
    assert all(pd.isna(pd.to_datetime(text)) for text in cells.NAT_TEXTS)
    assert cells.na_texts(["-", "NA"], keep_default=False) == ("-", "NA")
    assert cells.na_texts(["-", "NA"], keep_default=True) == (*cells.NA_TEXTS, "-")


@pytest.mark.parametrize("cell", ["-999", "-999.0", "-999.00", "-9.99e2"])
def test_a_number_that_means_missing_does_so_in_each_spelling(cell):
    read = pd.read_csv(io.StringIO(f"a,b\n1,2\n{cell},3\n"), na_values=["-999"])
    assert read.a.isna().tolist() == [False, True]
    assert cell in set(cells.na_spellings(["-999"])) or float(cell) in set(cells.na_numbers(["-999"]))


@given(st.lists(TEXTS))
def test_numbers_read_at_once_are_those_read_one_by_one(texts):
    each = [cells.number(text) for text in texts]
    together = cells.numbers(texts)
    assert (together is None) == (None in each)
    assert together is None or repr(together) == repr(each)


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        (" 8 ", 8.0, 8),
        ("-12", -12.0, -12),
        ("12.0", 12.0, None),
        ("1_000", None, None),
        ("\u0661", None, None),
        ("\u00a01", None, None),
        ("0x10", None, None),
        ("", None, None),
        (str(2**63), float(2**63), None),
        (str(-(2**63)), float(-(2**63)), -(2**63)),
    ],
)
def test_a_text_is_read_as_a_number_and_as_a_whole_number(text, number, whole):
    assert cells.number(text) == number
    assert cells.whole_number(text) == whole


def test_a_boolean_is_true_or_false_in_any_case_or_one_of_the_given_words():
    assert [cells.boolean(text) for text in ("TRUE", "False", "1", "yes")] == [True, False, None, None]
    assert cells.boolean("Yes", ["yes"], ["no"]) is True
    assert cells.boolean_pair(["Yes ", "no"]) == ("yes", "no")
    assert cells.boolean_pair(["yes", "maybe"]) is None
    assert cells.boolean_pair([]) is None


@pytest.mark.parametrize(("value", "whole"), [(3.0, True), (3.5, False), (10**400, False), (2**63, False), (7, True)])
def test_a_number_from_json_is_whole_if_64_bits_can_hold_it(value, whole):
    assert cells.is_whole(value) is whole


def test_a_category_of_numbers_has_no_underscores_as_no_number_has():
    feature = Feature(name="k", kind="category", missing=True, categories=[10, 20])
    _, faults = convert(feature, ["10", "20.0", "1_0"], Reading())
    assert list(faults) == [2]
