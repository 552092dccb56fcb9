"""Values as fields of a CSV, read back by Python's own reader."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.write import csv_cell, csv_row
from rowcast.errors import Unprocessable

texts = st.text(
    st.sampled_from("a \",;|\t\r\n'é1\u00a0") | st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(",;|\t"))
def test_texts_read_back_the_same(cells: list[str], delimiter: str) -> None:
    assert read(csv_row(cells, delimiter), delimiter) == [cells]


@given(st.floats(allow_nan=False) | st.integers())
def test_numbers_read_back_the_same(value: float) -> None:
    assert type(value)(read(csv_row([value]))[0][0]) == value


def test_each_type_has_its_form() -> None:
    row = csv_row([None, True, False, 1, 0.1, "a", " a", {"é": [1, "x"]}])
    assert row == '"",true,false,1,0.1,a," a","{""é"": [1, ""x""]}"\n'.encode()[2:]


def test_a_row_of_one_empty_cell_is_no_blank_line() -> None:
    assert csv_row([None]) == csv_row([""]) == b'""\n'


def test_text_is_quoted_only_where_it_must_be() -> None:
    assert csv_cell("a,b") == b'"a,b"'
    assert csv_cell("a,b", ";") == b"a,b"
    assert csv_cell('5" pipe') == b'"5"" pipe"'
    assert csv_cell("a\rb") == b'"a\rb"'
    assert csv_cell("a b") == b"a b"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Unprocessable, match="surrogate"):
        csv_row([json.loads('"\\ud800"')])
