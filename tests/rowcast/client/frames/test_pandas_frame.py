"""Frames and rows of pandas, as far as only the client decides; tests/stack/test_frames.py asks the models."""

import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_service import FakeService

from rowcast.client import Client, ServiceError, Unreachable, WrongUse
from rowcast.client.frames.frames import with_predictions, write_csv

PLAIN = pd.DataFrame({"age": [25], "pclass": [3]})


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (PLAIN["age"], "takes a pandas or polars DataFrame, not Series; for one row use predict"),
        ([[25, 3]], "takes a pandas or polars DataFrame, not list"),
        (pd.concat([PLAIN, PLAIN], axis=1), "several columns called 'age'"),
        (pd.DataFrame([[25, 3]]), "column name 0 is not text; use frame.rename"),
        (pd.concat({"a": PLAIN}, axis=1), "several levels"),
        (
            PLAIN.assign(prediction=1),
            "already has a column 'prediction'; choose another name with prediction_column or columns",
        ),
        (PLAIN[:0], "has no rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_odd_frame_is_refused_before_anything_is_sent(
    service: FakeService, client: Client, frame: Any, says: str
) -> None:
    with pytest.raises(WrongUse, match=says):
        client.predict_frame(frame)
    assert not service.seen


def written(frame: pd.DataFrame, *features: dict[str, Any], **manifest: Any) -> list[str]:
    file = io.BytesIO()
    write_csv(frame, {"features": list(features), **manifest}, file)
    return file.getvalue().decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("values", "feature", "cells"),
    [
        ([0.1, 1e22, math.nan, -0.0], {"kind": "number"}, ["0.1", "1e+22", '""', "-0.0"]),
        (np.array([0.1], "float32"), {"kind": "number"}, ["0.10000000149011612"]),
        (pd.array([0.1, None], "Float32"), {"kind": "number"}, ["0.10000000149011612", '""']),
        ([3.0, math.nan], {"kind": "integer"}, ["3", '""']),
        ([3.5, math.nan], {"kind": "integer"}, ["3.5", '""']),
        (pd.array([3, None], "Int64"), {"kind": "number"}, ["3", '""']),
        ([2**63 - 1], {"kind": "integer"}, [str(2**63 - 1)]),
        ([True, False], {"kind": "boolean"}, ["True", "False"]),
        ([True, False], {"kind": "number"}, ["1", "0"]),
        ([True, None], {"kind": "boolean"}, ["True", '""']),
        (pd.array([True, None], "boolean"), {"kind": "boolean"}, ["True", '""']),
        (pd.Categorical([3, None, 4]), {"kind": "category"}, ["3", '""', "4"]),
        (pd.Categorical(["b", None]), {"kind": "category"}, ["b", '""']),
        (["a,b", 'say "x"', "line\rend", None], {"kind": "text"}, ['"a,b"', '"say ""x"""', '"line\rend"', '""']),
        (pd.to_datetime(["2026-02-01", None]), {"kind": "date"}, ["2026-02-01", '""']),
        (pd.to_datetime(["2026-02-01 10:00"]), {"kind": "date", "date_format": "%d.%m.%Y %H:%M"}, ["01.02.2026 10:00"]),
    ],
    ids=str,
)
def test_every_type_has_an_exact_text(values: Any, feature: dict[str, Any], cells: list[str]) -> None:
    assert written(pd.DataFrame({"x": values}), {"name": "x", **feature}) == ["x", *cells]


def test_only_what_the_model_needs_is_sent() -> None:
    frame = pd.DataFrame({"b": [1], "other": [object()], "a": [2]})
    features = [{"name": name, "kind": "number"} for name in "ab"]
    assert written(frame, *features, {"name": "c", "kind": "number", "required": False}) == ["a,b", "2,1"]
    assert written(frame.drop(columns="a"), *features)[0] == "b,other"  # so that the service can name the nearest


@pytest.mark.parametrize("name", ["x", " "])
def test_a_text_of_blanks_alone_in_its_row_is_not_sent_as_a_blank_line(name: str) -> None:
    frame = pd.DataFrame({name: ["a", "  ", None]})
    assert written(frame, {"name": name, "kind": "text"}) == [f'"{name}"', '"a"', '"  "', '""']


def test_a_feature_in_the_index_is_named() -> None:
    with pytest.raises(WrongUse, match=r"'age' is the frame's index; make it a column with frame\.reset_index"):
        written(PLAIN.set_index("age"), {"name": "age", "kind": "number"}, {"name": "pclass", "kind": "number"})


@pytest.mark.parametrize("text", ["", "NA"])
def test_a_text_that_would_be_read_as_missing_is_refused(text: str) -> None:
    frame = pd.DataFrame({"land": ["SE", text]})
    feature = {"name": "land", "kind": "text"}
    with pytest.raises(WrongUse, match=f"'land' has the text '{text}', which the model reads as missing"):
        written(frame, feature, na_values=["", "NA"])
    assert written(frame.replace("", "x"), feature, na_values=[""])[1] == "SE"


def test_a_list_in_a_cell_is_refused() -> None:
    with pytest.raises(WrongUse, match="'land' has cells that are not one cell of a CSV file: unhashable type: 'list'"):
        written(pd.DataFrame({"land": [["SE"]]}), {"name": "land", "kind": "text"})


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(WrongUse, match="not Unicode"):
        written(pd.DataFrame({"x": ["\ud800"]}, dtype="object"), {"name": "x", "kind": "text"})


@pytest.mark.parametrize(
    ("cells", "manifest", "values", "dtype"),
    [
        (["0", "1"], {"classes": [0, 1]}, [0, 1], "int64"),
        (["0", '""'], {"classes": [0, 1]}, [0, None], "Int64"),
        (["007", "1"], {"classes": ["007", "1"]}, ["007", "1"], "str"),
        (["NA", "None"], {"classes": ["NA", "None"]}, ["NA", "None"], "str"),
        (["true", "False"], {"classes": [False, True]}, [True, False], "bool"),
        (["1.5", "3.0"], {"classes": [1.5, 3.0]}, [1.5, 3.0], "float64"),
        (["0.1", ""], {"classes": None}, [0.1, math.nan], "float64"),
        (["0.30000000000000004"], {"classes": None}, [0.1 + 0.2], "float64"),
        (["3", "4"], {"classes": None}, [3, 4], "int64"),
        (["a", "2"], {"classes": None}, ["a", "2"], "str"),
    ],
    ids=str,
)
def test_predictions_come_back_as_the_values_that_they_were(
    cells: list[str], manifest: dict[str, Any], values: list[Any], dtype: str
) -> None:
    frame = pd.DataFrame({"x": range(len(cells))}, index=range(100, 100 + len(cells)))
    result = io.BytesIO("\n".join(["prediction", *cells, ""]).encode())
    column = with_predictions(frame, result, {"prediction": manifest})["prediction"]
    expected = pd.Series(values, frame.index, dtype=dtype, name="prediction")
    pd.testing.assert_series_equal(column, expected)


def test_a_result_of_another_length_or_with_a_known_column_is_an_error() -> None:
    with pytest.raises(ServiceError, match="The result has 2 rows, but the frame has 1"):
        with_predictions(PLAIN, io.BytesIO(b"prediction\n1\n2\n"), {"prediction": {}})
    frame = PLAIN.assign(probability_0=0.5)
    with pytest.raises(WrongUse, match="already has a column 'probability_0'"):
        with_predictions(frame, io.BytesIO(b"prediction,probability_0\n1,0.5\n"), {"prediction": {}})


def test_a_series_is_one_row_matched_by_name(service: FakeService, client: Client) -> None:
    row = pd.DataFrame({"a": [1.5], "b": [None], "c": [np.int64(2)], "d": [pd.Timestamp("2026-01-02")], "e": [pd.NA]})
    client.predict(row.iloc[0])
    sent = b'{"a": 1.5, "b": null, "c": 2, "d": "2026-01-02T00:00:00", "e": null}'
    assert sent in next(entry.body for entry in service.seen if entry.method == "POST")


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (pd.Series([25, 3]), r"index has 0, which is not the name of a feature; use series\.tolist\(\)"),
        (pd.Series([25, 3], ["age", "age"]), "names a feature twice"),
        (PLAIN, "for a DataFrame use predict_frame"),
    ],
    ids=["unnamed", "twice", "frame"],
)
def test_what_is_not_one_named_row_is_refused(service, client: Client, features: Any, says: str) -> None:
    with pytest.raises(WrongUse, match=says):
        client.predict(features)
    assert not service.seen


def test_an_unreachable_service_is_reported_without_library_internals() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unreachable) as caught:
        client.models()
    assert str(caught.value) == (
        "http://127.0.0.1:1 cannot be reached: Connection refused. Start a service with `rowcast up`."
    )
    assert not [entry.path for entry in caught.traceback if "http" in entry.path.name]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
