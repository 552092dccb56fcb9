"""Folders of MLflow, names of models on its servers, and what is wrong with them. No server is needed."""

import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from programs import free_port
from registering import FEW_ALONE
from sklearn.linear_model import LogisticRegression

from rowcast.errors import NotFound, RowcastError, Unavailable, Unprocessable, Unreadable
from training.add_model import add
from training.add_options import AddOptions
from training.source.mlflow_reference import access_from, parse_reference
from training.source.mlmodel import parse

MLMODEL = """
flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl, python_version: 3.11.7}
  sklearn: {code: null, pickled_model: model.pkl, serialization_format: pickle, sklearn_version: 1.9.1}
mlflow_version: 3.17.2
run_id: 9cf9e9d3d5ad455190ed6907e82af43d
saved_input_example_info: {artifact_path: input_example.json, pandas_orient: split, type: dataframe}
signature:
  inputs: '[{"type": "string", "name": "zip", "required": true}, {"type": "double", "name": "age", "required": true}]'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as MLflow writes it, with a model that was fitted without names of columns."""
    made = tmp_path / "model"
    made.mkdir()
    rows = [[f"{n % 4:02}", n / 2 if n % 5 else None] for n in range(40)]
    table = pd.DataFrame(rows, columns=["zip", "age"]).fillna(0).astype(float).to_numpy()
    model = LogisticRegression().fit(table, [n % 2 for n in range(40)])
    (made / "model.pkl").write_bytes(pickle.dumps(model))
    (made / "MLmodel").write_text(MLMODEL)
    (made / "input_example.json").write_text(json.dumps({"columns": ["zip", "age"], "data": rows}))
    return made


def added(registry: Any, given: Any, sample: Path | None = None, **options: Any) -> Any:
    return add(given, "m", registry, sample, AddOptions(alone=FEW_ALONE, **options))


def test_the_signature_names_the_columns_and_those_that_are_text(registry: Any, folder: Path) -> None:
    manifest = added(registry, folder, kinds={"zip": "number"})
    assert [(one.name, one.kind) for one in manifest.features] == [("zip", "number"), ("age", "number")]
    assert manifest.training["mlflow_run_id"] == "9cf9e9d3d5ad455190ed6907e82af43d"
    assert manifest.training["features_from"] == "input_example.csv"
    assert parse(MLMODEL.encode()).kinds == {"zip": "text"}


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("a: [", Unreadable, "MLmodel cannot be read as YAML"),
        ("!!python/object/apply:os.system [touch mark]", Unreadable, "MLmodel cannot be read as YAML"),
        ("a: 1", Unreadable, "MLmodel has no `flavors`"),
        ("flavors: {pytorch: {}, python_function: {}}", Unprocessable, "has the flavours pytorch, and Rowcast reads"),
        ("flavors: {sklearn: {pickled_model: ../m.pkl}}", Unreadable, "names no path inside the model's folder"),
        ("flavors: {sklearn: {pickled_model: /etc/passwd}}", Unreadable, "for the model's file: '/etc/passwd'"),
        ("flavors: {sklearn: {}}", Unreadable, "for the model's file: None"),
        ("flavors: {sklearn: {pickled_model: gone.pkl}}", NotFound, "File not found"),
        ("flavors: {sklearn: {pickled_model: model.pkl}}", Unprocessable, "has no example of a DataFrame"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(
    registry: Any, folder: Path, changed: str, error: type[RowcastError], sentence: str
) -> None:
    (folder / "MLmodel").write_text(changed)
    with pytest.raises(error) as raised:
        added(registry, folder)
    assert sentence in raised.value.detail
    assert registry.names() == []
    assert not Path("mark").exists()


def test_a_folder_of_something_else_is_refused(registry: Any, folder: Path) -> None:
    with pytest.raises(NotFound, match="is a folder without the file MLmodel"):
        added(registry, folder.parent)
    (folder / "input_example.json").write_text("[")
    with pytest.raises(Unreadable, match=r"input example input_example\.json cannot be read"):
        added(registry, folder)


def test_a_model_without_a_sample_is_refused(registry: Any, folder: Path) -> None:
    with pytest.raises(Unprocessable, match="A model needs a sample: name a CSV file"):
        added(registry, folder / "model.pkl")


@pytest.mark.parametrize(
    "reference",
    ["mlflow:", "mlflow:churn", "mlflow:models:/churn", "mlflow:models:/churn/Production", "mlflow:runs:/1/model"],
)
def test_a_reference_of_another_form_is_refused_with_those_that_are_read(reference: str) -> None:
    with pytest.raises(Unprocessable, match="write mlflow:models:/NAME@ALIAS or mlflow:models:/NAME/VERSION"):
        parse_reference(reference)


def test_references_are_read() -> None:
    assert str(parse_reference("mlflow:models:/my model@champion")) == "models:/my model@champion"
    assert parse_reference("mlflow:models:/churn/12").version == "12"


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("", "MLFLOW_TRACKING_URI is not set: set it to the address of the MLflow server"),
        ("sqlite:///mlflow.db", "MLFLOW_TRACKING_URI=sqlite:///mlflow.db is not the address of a server"),
    ],
)
def test_an_address_that_is_none_is_refused(uri: str, sentence: str) -> None:
    with pytest.raises(Unprocessable) as raised:
        access_from({"MLFLOW_TRACKING_URI": uri})
    assert sentence in raised.value.detail


def test_a_server_that_cannot_be_reached_is_named(registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url := f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match=f"The MLflow server {url} cannot be reached .*: check MLFLOW_TRACKING_URI"):
        added(registry, "mlflow:models:/churn@champion")
