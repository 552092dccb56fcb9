"""Files that are refused: damaged ones, those of another format, and those that contain what is not trusted."""

import io
import json
import pickle
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from registering import FEW_ALONE
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from traps import trap

from rowcast.errors import RowcastError, Unprocessable, Unreadable
from rowcast.models.loading.own_code import ModelCode
from training.add_model import add
from training.add_options import AddOptions
from training.formats.formats import FORMATS, recognise
from training.formats.lightgbm_format import LIGHTGBM
from training.formats.model_format import LoadContext
from training.formats.read_model import read_model

NUMBERS = np.arange(80.0).reshape(40, 2) % 7
CLASSES = np.arange(40) % 2
ENDINGS = {one.name: one.endings[0] for one in FORMATS}


@cache
def saved(format: str) -> bytes:
    """Returns a small model in a format."""
    tree = DecisionTreeClassifier(max_depth=3).fit(NUMBERS, CLASSES)
    if format == "pickle":
        return pickle.dumps(tree)
    if format == "skops":
        return skops.io.dumps(tree)
    if format == "xgboost":
        booster = xgboost.XGBClassifier(n_estimators=3).fit(NUMBERS, CLASSES).get_booster()
        booster.set_attr(scikit_learn='{"_estimator_type": "classifier"}')
        return bytes(booster.save_raw("ubj"))
    if format == "lightgbm":
        model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, min_child_samples=2).fit(NUMBERS, CLASSES)
        return str(model.booster_.model_to_string()).encode()
    assert format == "joblib", f"add a model of {format}"
    file = io.BytesIO()
    joblib.dump(tree, file, compress=3)
    return file.getvalue()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    pd.DataFrame(NUMBERS, columns=["a", "b"]).to_csv(tmp_path / "sample.csv", index=False)
    return tmp_path / "sample.csv"


@pytest.fixture
def refused(registry: Any, sample: Path, tmp_path: Path) -> Any:
    """Adds a file that is refused, and returns the message. Nothing is left in the registry."""

    def refuse(name: str, content: bytes, **options: Any) -> str:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RowcastError) as error:
            add(tmp_path / name, "m", registry, sample, AddOptions(alone=FEW_ALONE, **options))
        assert isinstance(error.value, Unreadable | Unprocessable), repr(error.value)
        assert list(registry.storage.entries("")) == []
        return error.value.detail

    return refuse


@pytest.mark.parametrize("format", ENDINGS)
def test_a_damaged_file_is_refused(refused: Any, format: str) -> None:
    content = saved(format)
    message = refused(f"model{ENDINGS[format]}", content[: len(content) // 2], classes=_classes(format))
    assert f"model{ENDINGS[format]} cannot be read here" in message


@pytest.mark.parametrize("format", ENDINGS)
def test_what_is_of_no_format_is_refused_with_those_that_are_read(refused: Any, format: str) -> None:
    message = refused(f"model{ENDINGS[format]}", b"hello", classes=_classes(format))
    assert refused(f"model{ENDINGS[format]}", b"", classes=_classes(format)).startswith(
        f"model{ENDINGS[format]} cannot"
    )
    assert f"It was taken for a {format} file; the formats are pickle, joblib, lightgbm, xgboost, skops." in message


def _classes(format: str) -> tuple[str, ...]:
    return ("0", "1") if format == "lightgbm" else ()


def test_the_bytes_decide_on_the_format() -> None:
    for format in ENDINGS:
        assert {recognise(name, saved(format)).name for name in ("m", "m.pkl", "m.model", "m.joblib")} == {format}


@pytest.mark.parametrize("ending", [".skops", ".ubj", ".json", ".txt"])
def test_a_pickle_named_like_what_cannot_run_code_is_not_opened(refused: Any, tmp_path: Path, ending: str) -> None:
    mark = tmp_path / "mark"
    message = refused(f"model{ending}", trap(mark))
    assert f"model{ending} is named like a file by " in message
    assert "which can run any code when it is read" in message
    assert not mark.exists()


def _skops_of(module: str, name: str) -> bytes:
    """Returns a file in which a function of a transformer is another one, as in a hostile file."""
    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(FunctionTransformer(np.sqrt))))
    schema = json.loads(source.read("schema.json"))
    schema["content"]["content"]["func"] |= {
        "__class__": name,
        "__module__": module,
        "__loader__": "FunctionNode",
        "content": name,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


def test_an_untrusted_type_of_a_skops_file_is_named_with_the_remedies(refused: Any) -> None:
    message = refused("model.skops", _skops_of("os", "system"))
    assert "model.skops contains os.system, a type that Rowcast does not trust in a skops file" in message
    assert "save the model with pickle or cloudpickle instead" in message


def test_looking_into_a_skops_file_imports_nothing_that_it_names(refused: Any) -> None:
    assert "contains turtledemo.main" in refused("model.skops", _skops_of("turtledemo", "main"))
    assert "turtledemo" not in sys.modules


OWN = b"""
from os import system
import numpy

def half(table):
    return numpy.asarray(table) / 2
"""


def test_own_code_is_trusted_in_a_skops_file_and_what_it_imports_is_not() -> None:
    code = ModelCode({"mysteps.py": OWN})
    with code.active(), pytest.raises(Unprocessable, match=r"contains mysteps\.system, a type .*--code mysteps\.py"):
        read_model("m.skops", _skops_of("mysteps", "system"), code, "strict")
    with code.active(), pytest.raises(Unprocessable, match="FunctionTransformer, which has no `predict` method"):
        read_model("m.skops", _skops_of("mysteps", "half"), code, "strict")


def test_a_skops_file_of_another_scikit_learn_is_refused(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression().fit(NUMBERS, CLASSES)
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.2.0")
        content = skops.io.dumps(model)
    assert "was trained with scikit-learn 1.2.0, but" in refused("model.skops", content)


def test_a_skops_file_of_a_notebooks_class_is_refused_with_both_remedies(refused: Any) -> None:
    message = refused("model.skops", _skops_of("__main__", "Ratio"))
    assert "Ratio was defined in a notebook or a script" in message


class NotInstalled:
    """Finds packages missing, first of all finders of the import system."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in ("skops", "lightgbm", "xgboost"):
            raise ModuleNotFoundError(name, name=name)


def test_a_package_that_a_format_needs_is_named(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for format in ("skops", "lightgbm", "xgboost"):
        content = saved(format)
        with monkeypatch.context() as missing:
            missing.delitem(sys.modules, format)
            missing.setattr(sys, "meta_path", [NotInstalled(), *sys.meta_path])
            message = refused(f"model{ENDINGS[format]}", content, classes=_classes(format))
        assert f"needs {format}, which is not installed here: pip install {format}." in message


def test_a_booster_of_xgboost_alone_is_refused_with_the_remedy(refused: Any) -> None:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(NUMBERS, CLASSES), 2)
    message = refused("model.json", bytes(booster.save_raw("json")))
    assert "was saved by a Booster, whose `predict` returns no labels" in message
    assert "pickle.dump(model, file)" in message


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ((), "has 2 classes, and LightGBM's files do not keep their labels: name them, for example --classes 0,1"),
        (("a", "b", "c"), "--classes: names 3 labels, and model.txt has 2 classes"),
        (("a", "a"), "--classes: names 1 labels, and model.txt has 2 classes"),
    ],
)
def test_the_classes_of_a_lightgbm_file_have_to_fit(classes: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(Unprocessable) as error:
        LIGHTGBM.load(saved("lightgbm"), LoadContext("model.txt", classes=classes))
    assert sentence in error.value.detail


def test_classes_for_a_file_that_has_them_are_refused(refused: Any) -> None:
    message = refused("model.pkl", saved("pickle"), classes=("0", "1"))
    assert message == "--classes: model.pkl is a pickle file, which has its classes: leave it out"


def test_a_lightgbm_file_whose_predictions_are_unknown_is_refused() -> None:
    model = lightgbm.train(
        {"objective": "cross_entropy", "verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(NUMBERS, CLASSES), 2
    )
    with pytest.raises(Unprocessable, match="has the objective cross_entropy, for which the file does not say"):
        LIGHTGBM.load(model.model_to_string().encode(), LoadContext("model.txt"))
