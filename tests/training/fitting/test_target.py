import pytest

from rowcast.errors import Unprocessable
from training.fitting.target import read_target


@pytest.mark.parametrize(
    ("cells", "task", "values"),
    [
        (["0", "1"] * 5, "classification", [0, 1]),
        (["0.0", "1.0"] * 5, "classification", [0, 1]),
        (["true", "False"] * 5, "classification", [True, False]),
        (["yes", "no"] * 5, "classification", ["yes", "no"]),
        (["1", "b"] * 5, "classification", ["1", "b"]),
        (["0.5", "1"] * 5, "regression", [0.5, 1.0]),
        ([str(n) for n in range(30)], "regression", [float(n) for n in range(30)]),
        ([str(2**60), "1"] * 5, "regression", [float(2**60), 1.0]),
    ],
)
def test_the_task_follows_from_the_values(cells, task, values):
    target = read_target("t", cells, None)
    assert target.task == task
    found = target.values.tolist()[: len(values)]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_the_task_that_was_asked_for_wins_where_the_values_allow_it():
    assert read_target("t", ["0", "1"] * 5, "regression").values.tolist()[:2] == [0.0, 1.0]
    assert read_target("t", [str(n) for n in range(30)], "classification").task == "classification"


def test_rows_without_a_target_are_left_out_and_counted():
    target = read_target("t", ["0", None, "1", "nan"] * 5, None)
    assert target.dropped == 10
    assert target.rows.tolist()[:3] == [0, 2, 4]
    assert target.values.tolist() == [0, 1] * 5


@pytest.mark.parametrize(
    ("cells", "task", "sentence"),
    [
        (["0", "1"], None, "it has a value in 2 rows; at least 10 are needed"),
        ([None] * 20, None, "it has a value in 0 rows"),
        (["1"] * 10, None, "every row is 1; a classifier needs at least two classes"),
        (["a"] * 10, None, "every row is 'a'"),
        (["0.5"] * 9 + ["inf"], None, "row 10 is not finite"),
        (["0.5"] * 9 + ["1e999"], "regression", "row 10 is not finite"),
        ([f"name {n}" for n in range(201)], None, "201 distinct values"),
        (["a", "b"] * 5, "regression", "'a' is not a number"),
        (["0.5", "1"] * 5, "classification", "a fraction"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused_in_words(cells, task, sentence):
    with pytest.raises(Unprocessable) as error:
        read_target("t", cells, task)
    assert sentence in error.value.detail
    assert error.value.errors[0]["where"] == "target"
