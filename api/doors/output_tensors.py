"""The tensors of a model: those that it takes and returns, and the predictions of some rows in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired

from typing_extensions import TypedDict

from api.doors.input_tensors import require_object
from rowcast.csv.write import label_text
from rowcast.errors import OptionValue
from rowcast.models.model_manifest import Feature, Label, Manifest
from rowcast.wording.nearest import if_nearest

Value = Label | None
"""One value of a prediction; None for what JSON cannot write, such as infinity."""

PREDICT = "predict"
OPTION_OF = {"predict_proba": "probabilities", "decision_function": "scores"}
"""Tensors besides the predictions, each with the option of a job that it needs. They are named as by MLServer."""

_DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "text": "BYTES", "date": "BYTES"}
_IS_TEXT = {"content_type": "str"}


class TensorMetadata(TypedDict):
    """A tensor that a model takes or returns. -1 in the shape is the number of rows."""

    name: str
    datatype: str
    shape: list[int]
    parameters: NotRequired[dict[str, str]]


class OutputTensor(TensorMetadata):
    """A tensor with predictions, row by row."""

    data: list[Any]


@dataclass(frozen=True)
class _Columns:
    """The values of a row that make a tensor: those from `start` on."""

    start: int
    width: int
    datatype: str | None  # None: that of the values


def input_metadata(manifest: Manifest) -> list[TensorMetadata]:
    """Returns a tensor for each feature."""
    return [_described(feature.name, _datatype_of(feature), [-1, 1]) for feature in manifest.features]


def output_metadata(manifest: Manifest) -> list[TensorMetadata]:
    """Returns a tensor for the predictions, and for probabilities and scores if the model has them."""
    found = _columns(manifest, list(OPTION_OF))
    return [_described(name, one.datatype or "BYTES", [-1, one.width]) for name, one in found.items()]


def wanted_names(given: Any, manifest: Manifest) -> list[str]:
    """Returns the names of the tensors that a request's `outputs` names; without it only that of the predictions.

    Raises:
        OptionValue: it is not a list of tensors that the model returns.
    """
    if given is None or given == []:
        return [PREDICT]
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise OptionValue.at("outputs", f'must be a list of objects, for example [{{"name": "{PREDICT}"}}]')
    known = [tensor["name"] for tensor in output_metadata(manifest)]
    for number, one in enumerate(given):
        if one.get("name") not in known:
            near = if_nearest(str(one.get("name"))[:200], known)
            raise OptionValue.at(f"outputs[{number}].name", f"must be one of {', '.join(known)}{near}")
        require_object(one.get("parameters"), f"outputs[{number}].parameters")
    return list(dict.fromkeys(one["name"] for one in given))


def output_tensors(manifest: Manifest, rows: Iterable[Sequence[Value]], names: Sequence[str]) -> list[OutputTensor]:
    """Returns the tensors `names`. Each row has the predictions, then the probabilities and scores that were wanted."""
    table = list(rows)
    columns = _columns(manifest, names)
    return [_tensor(name, table, columns[name]) for name in names]


def _tensor(name: str, table: Sequence[Sequence[Value]], of: _Columns) -> OutputTensor:
    data: list[Any] = [value for row in table for value in row[of.start : of.start + of.width]]
    datatype = of.datatype or _datatype(data)
    if datatype == "BYTES":
        data = [label_text(value) for value in data]
    described = _described(name, datatype, [len(table), of.width])
    return OutputTensor(**described, data=data)


def _columns(manifest: Manifest, names: Sequence[str]) -> dict[str, _Columns]:
    """Returns where the values of each tensor are, if a job has those of `names` that the model can return."""
    several = 1 if manifest.outputs is None else len(manifest.outputs)
    labels = "FP64" if manifest.task == "regression" else _datatype(manifest.classes) if manifest.classes else None
    found = {PREDICT: _Columns(0, several, labels)}
    start = several
    widths = {
        "predict_proba": len(manifest.classes or []) if manifest.probabilities else 0,
        "decision_function": len(manifest.scores or []),
    }
    for name, width in widths.items():
        if name in names and width:
            found[name] = _Columns(start, width, "FP64")
            start += width
    return found


def _datatype(labels: Sequence[Value]) -> str:
    """Returns the datatype that can hold all labels: BYTES if there are texts, or booleans and numbers."""
    kinds = {type(label) for label in labels if label is not None}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64" if all(-(2**63) <= label < 2**63 for label in labels if isinstance(label, int)) else "BYTES"
    return "FP64" if kinds and kinds <= {int, float} else "BYTES"


def _datatype_of(feature: Feature) -> str:
    return _datatype(feature.categories or []) if feature.kind == "category" else _DATATYPES[feature.kind]


def _described(name: str, datatype: str, shape: list[int]) -> TensorMetadata:
    described = TensorMetadata(name=name, datatype=datatype, shape=shape)
    if datatype == "BYTES":
        described["parameters"] = _IS_TEXT
    return described
