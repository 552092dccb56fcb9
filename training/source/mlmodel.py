"""`MLmodel`: the file in which MLflow describes a model, with its flavours, its columns and an example."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from rowcast.errors import Unprocessable, Unreadable
from rowcast.models.model_manifest import Kind

FILE_NAME = "MLmodel"

_FLAVOURS = {"sklearn": "pickled_model", "xgboost": "data", "lightgbm": "data"}
"""The flavours that are read, and the field in which each names the model's file."""

_KINDS: Mapping[str, Kind] = {"string": "text", "datetime": "date"}
"""Types of MLflow that pandas does not find in each CSV file: text may be digits, and dates have to be named."""


@dataclass(frozen=True)
class MlflowModel:
    """What is read of the description. Paths are relative to the model's folder."""

    flavour: str
    #: The model's file, for example `model.skops`.
    file: str
    #: The folder with the model's own code; None if it has none.
    code: str | None = None
    #: Names of the input columns; None if the signature has none.
    columns: list[str] | None = None
    kinds: dict[str, Kind] = field(default_factory=dict)
    #: The example of a DataFrame, as JSON; None if there is none.
    example: str | None = None
    #: The run that made the model; None if it is not named.
    run_id: str | None = None


def parse(content: bytes) -> MlflowModel:
    """Reads the description.

    Raises:
        Unreadable: it is not YAML, or not such a description.
        Unprocessable: no flavour of the model can be read, or a path leads out of the model's folder.
    """
    import yaml

    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Unreadable(f"{FILE_NAME} cannot be read as YAML: {' '.join(str(error).split())}") from error
    flavours = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavours, dict):
        raise Unreadable(f"{FILE_NAME} has no `flavors`: it does not describe a model of MLflow.")
    name = next((one for one in _FLAVOURS if isinstance(flavours.get(one), dict)), None)
    if name is None:
        there = ", ".join(sorted(set(map(str, flavours)) - {"python_function"})) or "only python_function"
        raise Unprocessable(
            f"The model has the flavours {there}, and Rowcast reads {', '.join(_FLAVOURS)}. Pickle an object with a "
            "`predict` method, and register the file: rowcast models add model.pkl."
        )
    columns, kinds = _columns(document)
    return MlflowModel(
        flavour=name,
        file=_inside(flavours[name].get(_FLAVOURS[name]), "the model's file"),
        code=_code(flavours, name),
        columns=columns,
        kinds=kinds,
        example=_example(document),
        run_id=_text(document.get("run_id")),
    )


def _code(flavours: Mapping[str, Any], name: str) -> str | None:
    functions = flavours.get("python_function")
    given = flavours[name].get("code") or (functions.get("code") if isinstance(functions, dict) else None)
    return _inside(given, "the code") if given else None


def _columns(document: Mapping[str, Any]) -> tuple[list[str] | None, dict[str, Kind]]:
    """Returns the names and kinds of the signature's columns. A signature of tensors names none."""
    signature = document.get("signature")
    try:
        inputs = json.loads(signature["inputs"]) if isinstance(signature, dict) else []
        names = [str(one["name"]) for one in inputs]
        kinds = {str(one["name"]): _KINDS[one["type"]] for one in inputs if one.get("type") in _KINDS}
    except (KeyError, TypeError, ValueError):
        return None, {}
    return names or None, kinds


def _example(document: Mapping[str, Any]) -> str | None:
    about = document.get("saved_input_example_info")
    if not isinstance(about, dict) or about.get("type") != "dataframe" or about.get("pandas_orient") != "split":
        return None
    return _inside(about.get("artifact_path"), "the input example")


def _inside(path: Any, what: str) -> str:
    """Returns a path that stays in the model's folder."""
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if not parts or parts[0] == "/" or ".." in parts:
        raise Unreadable(f"{FILE_NAME} names no path inside the model's folder for {what}: {path!r}.")
    return str(PurePosixPath(*parts))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
