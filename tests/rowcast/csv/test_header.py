"""What a header line must have and must not, and its names as pandas gives them."""

import io
from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.csv.header import Header, check_header, column_names
from rowcast.errors import MissingColumns, Unprocessable

NAMES = ["a", "a", "a.1", "a.2", "a.1.1", "", "", '""', "Unnamed: 0", "Unnamed: 1", "Unnamed: 1.1", '"b"', "b", " "]


def check(columns: Sequence[str], *rest: Sequence[str]) -> None:
    check_header(Header(b"", tuple(columns)), *rest)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12).filter(lambda names: names != [""]))
def test_names_are_those_of_pandas(names: list[str]) -> None:
    text = ",".join(names) + "\n" + ",".join("1" * len(names)) + "\n"
    expected = list(pd.read_csv(io.StringIO(text), skip_blank_lines=False).columns)
    assert column_names([name.encode() for name in names]) == expected


def test_ten_thousand_columns_of_one_name_are_named_at_once() -> None:
    assert column_names([b"a"] * 10_000)[-1] == "a.9999"


def test_a_header_with_all_that_is_needed_passes_in_any_order() -> None:
    check(["id", "pclass", "", "age"], ["age", "pclass"], ["id"], ["prediction"])


def test_missing_columns_are_named_with_the_nearest_there() -> None:
    with pytest.raises(MissingColumns) as caught:
        check(["Age ", "p_class", "colour", "x"], ["age", "pclass", "color", "height"], [], ["prediction"])
    assert caught.value.nearest == {"age": "Age ", "pclass": "p_class", "color": "colour", "height": None}
    assert [error["where"] for error in caught.value.errors] == [
        "header.age",
        "header.pclass",
        "header.color",
        "header.height",
    ]


def test_each_other_fault_has_an_entry() -> None:
    with pytest.raises(Unprocessable) as caught:
        check(["a", "prediction", "Id"], ["a"], ["id"], ["prediction", "probability_0"])
    assert caught.value.errors == [
        {
            "where": "header.prediction",
            "message": "is a column that the result adds; choose another prediction_column",
        },
        {"where": "key.id", "message": "is not in the header; the nearest column is 'Id'"},
    ]


def test_a_column_that_was_given_the_name_of_another_is_to_be_renamed() -> None:
    with pytest.raises(Unprocessable) as caught:
        check_header(Header(b"", ("a", "label")), ["a"], [], ["label"], are_renamed=True)
    assert [error["where"] for error in caught.value.errors] == ["columns.label"]


def test_a_column_that_the_result_adds_twice_is_refused() -> None:
    with pytest.raises(Unprocessable, match="adds two columns of this name"):
        check(["a"], ["a"], [], ["probability_0", "probability_0"])


def test_ten_thousand_wrong_columns_are_told_at_once() -> None:
    """Comparing each with each would take hours."""
    with pytest.raises(MissingColumns) as caught:
        check([f"column{n}" for n in range(10_000)], [f"feature{n}" for n in range(10_000)], [], [])
    assert len(caught.value.columns) == 10_000


def test_ten_thousand_right_columns_pass_at_once() -> None:
    names = [f"column{n}" for n in range(10_000)]
    check(names, names[::-1], names, ["prediction"])
