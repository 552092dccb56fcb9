"""Tensors as rows and predictions as tensors, and what is wrong with a tensor that has no rows."""

import math
from typing import Any

import numpy as np
import pytest

from api.doors.input_tensors import rows_of_tensors
from api.doors.output_tensors import input_metadata, output_metadata, output_tensors, wanted_names
from rowcast.errors import Unprocessable
from rowcast.models.model_manifest import Feature, Manifest

FEATURES = ["age", "town"]


def tensor(data: object, *shape: object, name: str = "x", datatype: str = "FP64", **others: object) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "datatype": datatype, "data": data, **others}


AGES, TOWNS = tensor([25, None], 2, 1, name="age"), tensor(["Aix", "Bonn"], 2, name="town", datatype="BYTES")


@pytest.mark.parametrize(
    ("inputs", "rows"),
    [
        ([tensor([1, 2.5, None, 4], 2, 2)], [[1.0, 2.5], [None, 4.0]]),
        ([tensor([[1, 2.5], [None, 4]], 2, 2, name="age")], [[1.0, 2.5], [None, 4.0]]),
        ([tensor(["a", "b"], 2, datatype="BYTES")], [["a"], ["b"]]),
        ([tensor([1, 2], 2, 1, name="age")], [{"age": 1.0}, {"age": 2.0}]),
        ([AGES, TOWNS], [{"age": 25.0, "town": "Aix"}, {"age": None, "town": "Bonn"}]),
        (
            [TOWNS, {**AGES, "parameters": {"content_type": "np"}}],
            [{"town": "Aix", "age": 25.0}, {"town": "Bonn", "age": None}],
        ),
        ([tensor([True, 0, 1.0], 3, datatype="BOOL")], [[True], [False], [True]]),
        ([tensor([3.0, -128, 127], 3, datatype="INT8")], [[3], [-128], [127]]),
        ([tensor([2**64 - 1], 1, datatype="UINT64")], [[2**64 - 1]]),
        ([tensor([0.1, 1e-60], 2, datatype="FP32")], [[float(np.float32(0.1))], [0.0]]),
        ([tensor([0.1], 1, datatype="FP16")], [[float(np.float16(0.1))]]),
    ],
)  # fmt: skip
def test_tensors_are_rows(inputs: list, rows: list) -> None:
    found = rows_of_tensors(inputs, FEATURES)
    assert found == rows
    assert repr(found) == repr(rows), "a value has another type"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "inputs: must be a list of tensors"),
        ([], "inputs: must be a list of tensors"),
        ([7], r"inputs\[0\]: must be an object with name"),
        ([{"name": "x", "shape": [1], "datatype": "FP64"}], r"inputs\[0\]: must be an object with name"),
        ([{"name": "x", "parameters": {"binary_data_size": 8}}], "send `data` as JSON"),
        ([tensor([1], 1, datatype="BF16")], r"inputs\[0\].datatype: must be one of BOOL, INT8"),
        ([tensor([1], 1, datatype="int64")], r"inputs\[0\].datatype: must be one of"),
        ([tensor([1])], r"inputs\[0\].shape: must be \[n\] or \[n, k\]"),
        ([tensor([1], 1, 1, 1)], r"inputs\[0\].shape: must be"),
        ([tensor([], 0)], r"inputs\[0\].shape: must be"),
        ([tensor([1], True)], r"inputs\[0\].shape: must be"),
        ([tensor([1], -1)], r"inputs\[0\].shape: must be"),
        ([tensor([1, 2, 3], 2, 2)], r"inputs\[0\].data: has 3 values, and the shape is \[2, 2\]"),
        ([tensor([1], 10**15)], r"inputs\[0\].data: has 1 value, and the shape is"),
        ([tensor([[[1]]], 1, 1)], r"inputs\[0\].data: value 1 must be a finite number that FP64 can hold"),
        ([tensor([1, "2"], 2)], r"inputs\[0\].data: value 2 must be a finite number"),
        ([tensor([True], 1)], "must be a finite number"),
        ([tensor([10**400], 1)], "must be a finite number"),
        ([tensor([1e39], 1, datatype="FP32")], "must be a finite number that FP32 can hold"),
        ([tensor([70000], 1, datatype="FP16")], "must be a finite number that FP16 can hold"),
        ([tensor([128], 1, datatype="INT8")], "must be a whole number from -128 to 127"),
        ([tensor([-1], 1, datatype="UINT16")], "must be a whole number from 0 to 65535"),
        ([tensor([1.5], 1, datatype="INT64")], "must be a whole number from"),
        ([tensor([math.inf], 1, datatype="INT64")], "must be a whole number from"),
        ([tensor([True], 1, datatype="INT64")], "must be a whole number from"),
        ([tensor([2], 1, datatype="BOOL")], "must be true or false"),
        ([tensor([1], 1, datatype="BYTES")], "must be text"),
        ([tensor([1], 1, parameters={"content_type": "base64"})], "content_type: must be one of str, np"),
        ([tensor([1], 1, parameters=[])], r"inputs\[0\].parameters: must be an object"),
        ([AGES, tensor([1, 2], 1, 2, name="town")], r"inputs\[1\].shape: must be \[n\] or \[n, 1\]"),
        ([AGES, tensor([1], 1, name="town")], r"inputs\[1\].shape: has 1 row, and 'age' has 2"),
        ([AGES, AGES], r"inputs\[1\].name: 'age' is the name of another tensor"),
    ],
)  # fmt: skip
def test_a_tensor_that_is_not_valid_is_refused_with_what_it_takes(inputs: object, message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        rows_of_tensors(inputs, FEATURES)


def manifest(**known: Any) -> Manifest:
    features = [Feature(name="age", kind="number", missing=True)]
    about = {"task": "classification", "features": features, "libraries": {}} | known
    return Manifest(name="m", version="1", sha256="0" * 64, created_at="2026-01-01T00:00:00Z", **about)


@pytest.mark.parametrize(
    ("known", "values", "datatype", "data"),
    [
        ({"task": "regression"}, [1.5, None], "FP64", [1.5, None]),
        ({"task": "clustering", "classes": [0, 1]}, [1, 0], "INT64", [1, 0]),
        ({"classes": [False, True]}, [True], "BOOL", [True]),
        ({"classes": [0.5, 1]}, [0.5], "FP64", [0.5]),
        ({"classes": ["a", "b"]}, ["b"], "BYTES", ["b"]),
        ({"classes": ["a", 7]}, [7, "a"], "BYTES", ["7", "a"]),
        ({"classes": [False, 7]}, [False, 7], "BYTES", ["False", "7"]),
        ({"classes": [2**63]}, [2**63], "BYTES", [str(2**63)]),
    ],
)
def test_predictions_have_the_datatype_of_the_classes(known: dict, values: list, datatype: str, data: list) -> None:
    (found,) = output_tensors(manifest(**known), [[value] for value in values], ["predict"])
    assert (found["datatype"], found["shape"], found["data"]) == (datatype, [len(values), 1], data)
    (described,) = output_metadata(manifest(**known))
    assert (described["datatype"], described["shape"]) == (datatype, [-1, 1])
    assert found.get("parameters") == described.get("parameters")


def test_each_tensor_has_its_columns_in_the_order_of_the_request() -> None:
    model = manifest(classes=["a", "b"], probabilities=True, scores=["score"])
    assert [one["shape"] for one in output_metadata(model)] == [[-1, 1], [-1, 2], [-1, 1]]
    names = ["decision_function", "predict", "predict_proba"]
    found = output_tensors(model, [["a", 0.9, 0.1, -2.0], ["b", 0.2, 0.8, 3.0]], names)
    assert [one["name"] for one in found] == names
    assert [one["data"] for one in found] == [[-2.0, 3.0], ["a", "b"], [0.9, 0.1, 0.2, 0.8]]
    scores, _ = output_tensors(model, [["a", -2.0]], ["decision_function", "predict"])
    assert scores["data"] == [-2.0]


def test_inputs_have_the_datatype_of_the_features() -> None:
    kinds = ("number", "integer", "text", "boolean", "date", "category")
    features = [Feature(name=kind, kind=kind, missing=False, categories=[1, 2]) for kind in kinds]
    found = input_metadata(manifest(features=features))
    assert [one["datatype"] for one in found] == ["FP64", "INT64", "BYTES", "BOOL", "BYTES", "INT64"]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("predict", "outputs: must be a list of objects"),
        (["predict"], "outputs: must be a list of objects"),
        ([{"name": "predict_prob"}], r"outputs\[0\].name: must be one of predict, predict_proba; the nearest is"),
        ([{"name": "predict"}, {}], r"outputs\[1\].name: must be one of"),
        ([{"name": "predict", "parameters": 7}], r"outputs\[0\].parameters: must be an object"),
        ([{"name": "decision_function"}], "must be one of predict, predict_proba"),
    ],
)
def test_a_tensor_that_the_model_does_not_return_is_refused(outputs: object, message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        wanted_names(outputs, manifest(classes=["a"], probabilities=True))
