"""What a header line must have and must not."""

import pytest

from rowcast.errors import MissingColumns, Unprocessable
from rowcast.jobs.plan import check_header


def test_a_header_with_all_that_is_needed_passes_in_any_order() -> None:
    check_header(["id", "pclass", "", "age"], ["age", "pclass"], ["id"], ["prediction"])


def test_missing_columns_are_named_with_the_nearest_there() -> None:
    with pytest.raises(MissingColumns) as caught:
        check_header(["Age ", "p_class", "colour", "x"], ["age", "pclass", "color", "height"], [], ["prediction"])
    assert caught.value.nearest == {"age": "Age ", "pclass": "p_class", "color": "colour", "height": None}
    assert [error["where"] for error in caught.value.errors] == [
        "header.age",
        "header.pclass",
        "header.color",
        "header.height",
    ]


def test_each_other_fault_has_an_entry() -> None:
    with pytest.raises(Unprocessable) as caught:
        check_header(["a", "a", "prediction", "Id"], ["a"], ["id"], ["prediction", "probability_0"])
    assert caught.value.errors == [
        {"where": "header.a", "message": "stands 2 times in the header"},
        {
            "where": "header.prediction",
            "message": "is a column that the result adds; choose another prediction_column",
        },
        {"where": "key.id", "message": "is not in the header; the nearest column is 'Id'"},
    ]


def test_a_column_that_the_result_adds_twice_is_refused() -> None:
    with pytest.raises(Unprocessable, match="adds two columns of this name"):
        check_header(["a"], ["a"], [], ["probability_0", "probability_0"])


def test_ten_thousand_wrong_columns_are_told_at_once() -> None:
    """Comparing each with each would take hours."""
    with pytest.raises(MissingColumns) as caught:
        check_header([f"column{n}" for n in range(10_000)], [f"feature{n}" for n in range(10_000)], [], [])
    assert len(caught.value.columns) == 10_000


def test_ten_thousand_right_columns_pass_at_once() -> None:
    names = [f"column{n}" for n in range(10_000)]
    check_header(names, names[::-1], names, ["prediction"])
