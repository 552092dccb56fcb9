"""The rows in MLflow's four forms, and what is wrong with a body that has none of them."""

import pytest

from api.doors.mlflow_table import read_table
from rowcast.errors import Unprocessable

BOTH = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]


@pytest.mark.parametrize(
    ("body", "where", "rows"),
    [
        (
            {"dataframe_split": {"index": [7, 8], "columns": ["a", "b"], "data": [[1, "x"], [2.5, None]]}},
            "dataframe_split.data",
            BOTH,
        ),
        ({"dataframe_split": {"data": [[1, "x"]]}}, "dataframe_split.data", [[1, "x"]]),
        ({"dataframe_split": {"columns": [0, 1], "data": [[1, "x"]]}}, "dataframe_split.data", [{"0": 1, "1": "x"}]),
        ({"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2.5}], "params": {}}, "dataframe_records", BOTH),
        ({"instances": [[1, "x"], {"a": 1}, "text"]}, "instances", [[1, "x"], {"a": 1}, ["text"]]),
        ({"inputs": [[1, "x"]], "params": None}, "inputs", [[1, "x"]]),
        ({"inputs": {"a": [1, 2.5], "b": ["x", None]}}, "inputs", BOTH),
    ],
)
def test_each_form_has_the_same_rows(body: dict, where: str, rows: list) -> None:
    table = read_table(body)
    assert (table.where, table.rows) == (where, rows)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([[1, 2]], "body: must be a JSON object with exactly one of dataframe_split, dataframe_records, instances"),
        ({}, "body: must be a JSON object with exactly one of"),
        ({"inputs": [[1]], "instances": [[1]]}, "exactly one of"),
        ({"inputs": [[1]], "parms": {}}, "parms: unknown; the nearest is 'params'"),
        ({"inputs": [[1]], "params": {"method": "predict_proba"}}, "params: is not supported; send options in the que"),
        ({"dataframe_split": [[1]]}, "dataframe_split: must be an object with `columns` and `data`"),
        ({"dataframe_split": {"columns": ["a"]}}, "dataframe_split: must be an object with `columns` and `data`"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]], "dtypes": []}}, "it also has 'dtypes'"),
        ({"dataframe_split": {"columns": "a", "data": [[1]]}}, "dataframe_split.columns: must be a list of names"),
        (
            {"dataframe_records": [{f"a{row}": 1} for row in range(1_500)]},
            "1,500 rows with 1,500 names in all; send fewer",
        ),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "has the name 'a' twice"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], 2]}}, r"data\[1\]: must be a list of values"),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1], [2, 3]]}},
            r"data\[1\]: has 2 values, and there are 1 co",
        ),
        ({"dataframe_records": {"a": [1]}}, "dataframe_records: must be a list of objects"),
        ({"dataframe_records": [[1]]}, "dataframe_records: must be a list of objects"),
        ({"instances": {"a": [1]}}, "instances: must be a list of rows; for an object .* use inputs"),
        ({"inputs": {"a": 1}}, "inputs: must be a list of rows, or an object with a list of values for each column"),
        ({"inputs": {"a": [1, 2], "b": [1]}}, "must have as many values in each column, but 'a' has 2, 'b' has 1"),
    ],
)
def test_a_body_in_no_form_is_refused_with_what_is_wrong(body: object, message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        read_table(body)
