import pickle
import sys
from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from own_code import run_script, write_model
from registering import FEW_ALONE
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from rowcast.errors import ModelRefused, NotFound, Unprocessable, Unreadable
from rowcast.models.loading.load import load
from training.add_model import add as add_with_long_rehearsal
from training.add_options import NO_OPTIONS, AddOptions


def add(file, name, registry, data, options=NO_OPTIONS, **more):
    """Adds after a short rehearsal: single rows have other tests (`test_rehearsal.py`)."""
    return add_with_long_rehearsal(file, name, registry, data, replace(options, alone=FEW_ALONE), **more)


@pytest.fixture
def data(write):
    rows = ([n, n % 7, n % 2] for n in range(40))
    return write(["a", "b", "y"], *rows, name="examples.csv")


@pytest.fixture
def frame(data):
    return pd.read_csv(data)


@pytest.fixture
def pickled(tmp_path):
    def dump(estimator):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(estimator))
        return path

    return dump


def test_an_estimator_with_names_brings_its_features(registry, data, frame, pickled):
    file = pickled(make_pipeline(StandardScaler(), LogisticRegression()).fit(frame[["b", "a"]], frame.y))
    manifest = add(file, "m", registry, data, AddOptions(threshold=0.3))
    assert manifest.threshold == 0.3
    assert manifest.feature_names == ["b", "a"]
    assert manifest.task == "classification"
    assert manifest.classes == [0, 1]
    assert manifest.probabilities
    assert manifest.training["estimator"] == "Pipeline"
    assert [one.missing for one in manifest.features] == [False, False]
    assert registry.model_bytes(manifest) == file.read_bytes()
    assert registry.aliases("m") == {"latest": "1"}


def test_an_estimator_without_names_takes_the_columns_in_their_order(registry, data, frame, pickled):
    with_threshold = FixedThresholdClassifier(LogisticRegression(), threshold=0.3)
    file = pickled(with_threshold.fit(frame[["a", "b"]].to_numpy(), frame.y))
    manifest = add(file, "m", registry, data, AddOptions(target="y"))
    assert manifest.feature_names == ["a", "b"]
    assert manifest.threshold == 0.3
    assert set(manifest.metrics) == {"accuracy", "balanced_accuracy", "log_loss", "roc_auc"}
    assert not hasattr(load(registry, manifest, "strict").estimator, "feature_names_in_")


def test_an_estimator_without_names_and_another_number_of_columns_is_refused(registry, data, frame, pickled):
    file = pickled(LogisticRegression().fit(frame[["a", "b"]].to_numpy(), frame.y))
    with pytest.raises(Unprocessable, match=r"with 2 features without names, and examples\.csv has 3"):
        add(file, "m", registry, data)


def test_whether_a_feature_may_be_missing_is_tried_out(registry, data, frame, pickled):
    file = pickled(HistGradientBoostingClassifier(max_iter=2).fit(frame[["a", "b"]], frame.y))
    assert [one.missing for one in add(file, "m", registry, data).features] == [True, True]


def test_missing_cells_in_the_examples_are_no_obstacle_to_a_model_that_takes_none(registry, write, frame, pickled):
    file = pickled(LogisticRegression().fit(frame[["a", "b"]], frame.y))
    examples = write(["a", "b", "y"], ["", 1, 0], *([n, n % 7, n % 2] for n in range(40)))
    manifest = add(file, "m", registry, examples, AddOptions(target="y"))
    assert [one.missing for one in manifest.features] == [False, False]
    assert "accuracy" in manifest.metrics


def test_text_and_booleans_are_taken(registry, write, pickled):
    path = write(["t", "f", "y"], *([("red", "blue")[n % 2], str(n % 3 == 0).lower(), n % 2] for n in range(40)))
    rows = pd.read_csv(path)
    file = pickled(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows[["t", "f"]], rows.y))
    manifest = add(file, "m", registry, path, AddOptions(target="y"))
    assert [one.kind for one in manifest.features] == ["text", "boolean"]
    assert manifest.metrics["accuracy"] == 1.0


def test_regressors_and_clusterings_are_taken(registry, data, frame, pickled):
    manifest = add(
        pickled(LinearRegression().fit(frame[["a", "b"]], frame.y)), "m", registry, data, AddOptions(target="y")
    )
    assert manifest.task == "regression"
    assert set(manifest.metrics) == {"r2", "mae", "rmse"}
    with pytest.raises(Unprocessable, match="only for models with two classes"):
        add(pickled(LinearRegression().fit(frame[["a"]], frame.y)), "m", registry, data, AddOptions(threshold=0.3))
    manifest = add(pickled(KMeans(2, n_init=1).fit(frame[["a", "b"]])), "m", registry, data)
    assert (manifest.version, manifest.task, manifest.classes) == ("2", "clustering", [0, 1])


def test_a_file_by_joblib_is_pickled_anew(registry, data, frame, tmp_path):
    estimator = LogisticRegression().fit(frame[["a", "b"]], frame.y)
    for number, compress in enumerate((0, 3), 1):
        joblib.dump(estimator, tmp_path / "model.joblib", compress=compress)
        manifest = add(tmp_path / "model.joblib", "m", registry, data)
        assert manifest.version == str(number)
        opened = load(registry, manifest, "strict").estimator
        assert (opened.predict(frame[["a", "b"]]) == estimator.predict(frame[["a", "b"]])).all()


@pytest.mark.parametrize("dump", [lambda value, file: file.write_bytes(pickle.dumps(value)), joblib.dump])
def test_a_pickle_of_another_scikit_learn_is_refused_as_a_worker_would(
    registry, data, frame, tmp_path, dump, monkeypatch
):
    estimator, file = LogisticRegression().fit(frame[["a", "b"]], frame.y), tmp_path / "model.pkl"
    dump(estimator, file)
    add(file, "m", registry, data)
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.2.0")
        dump(estimator, file)
    with pytest.raises(
        Unprocessable, match=r"with scikit-learn 1\.2\.0, but .* is installed here.*ROWCAST_MODEL_VERSIONS=warn"
    ):
        add(file, "m", registry, data)
    assert registry.aliases("m") == {"latest": "1"}
    assert registry.versions("m") == ["1"]


def test_an_older_scikit_learn_is_said_and_written_down_if_asked_for(registry, data, frame, pickled, monkeypatch):
    estimator = LogisticRegression().fit(frame[["a", "b"]], frame.y)
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.2.0")
        file = pickled(estimator)
    said = []
    manifest = add(file, "m", registry, data, AddOptions(versions="warn"), say=said.append)
    assert manifest.libraries["scikit-learn"] == "1.2.0"
    assert any(sentence.startswith("The model was trained with scikit-learn 1.2.0; ") for sentence in said)
    with pytest.raises(ModelRefused, match=r"1\.2\.0"):
        load(registry, manifest, "strict")


class TwoValues:
    def predict(self, rows):
        return np.zeros((len(rows), 2))


class Words:
    def predict(self, rows):
        return np.array(["word"] * len(rows))


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        ({"a": 1}, "contains a dict, which has no `predict` method"),
        (LogisticRegression(), "does not accept these columns: NotFittedError"),
        (LogisticRegression().fit(pd.DataFrame({"c": [0, 1]}), [0, 1]), "examples.csv has no column 'c'"),
    ],
)
def test_what_is_no_estimator_for_these_columns_is_refused(registry, data, pickled, estimator, sentence):
    with pytest.raises(Unprocessable) as error:
        add(pickled(estimator), "m", registry, data)
    assert sentence in error.value.detail
    assert registry.names() == []


def test_a_model_with_several_outputs_has_a_name_for_each(registry, data, pickled):
    manifest = add(pickled(TwoValues()), "m", registry, data)
    assert (manifest.task, manifest.outputs, manifest.classes) == ("regression", ["0", "1"], None)
    assert add(pickled(TwoValues()), "m", registry, data, AddOptions(target="a,y")).outputs == ["a", "y"]


def test_a_plain_class_may_predict_text(registry, data, pickled):
    manifest = add(pickled(Words()), "m", registry, data)
    assert (manifest.task, manifest.classes, manifest.probabilities) == ("classification", None, False)


def test_a_target_that_the_model_has_no_class_for_is_refused(registry, write, frame, pickled):
    file = pickled(LogisticRegression().fit(frame[["a", "b"]], frame.y))
    examples = write(["a", "b", "y"], *([n, n, "no"] for n in range(20)), *([n, n, "yes"] for n in range(20)))
    with pytest.raises(Unprocessable, match="the value 'no', which is not a class"):
        add(file, "m", registry, examples, AddOptions(target="y"))


def test_files_that_are_missing_or_no_pickle_are_said(registry, data, tmp_path, pickled, frame):
    with pytest.raises(NotFound, match="File not found"):
        add(tmp_path / "none.pkl", "m", registry, data)
    with pytest.raises(NotFound, match="File not found"):
        add(pickled(LogisticRegression().fit(frame[["a", "b"]], frame.y)), "m", registry, tmp_path / "none.csv")
    (tmp_path / "no.pkl").write_bytes(b"hello")
    with pytest.raises(Unreadable, match=r"no\.pkl cannot be read here"):
        add(tmp_path / "no.pkl", "m", registry, data)


NOTEBOOK = """
import pickle, cloudpickle, joblib, pandas
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, table, target=None):
        self.feature_names_in_ = table.columns.to_numpy()
        return self

    def transform(self, table):
        return table.assign(ratio=table["a"] / (table["b"] + 1))


data = pandas.read_csv("examples.csv")
model = make_pipeline(Ratio(), LogisticRegression()).fit(data[["a", "b"]], data["y"])
model.predict(data[["a", "b"]]).tofile("predictions")
with open("pickled", "wb") as file:
    pickle.dump(model, file)
with open("cloudpickled", "wb") as file:
    cloudpickle.dump(model, file)
joblib.dump(model, "joblibbed", compress=3)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A folder with models of a class that was defined in a notebook. The tests only read it."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "examples.csv").write_text("a,b,y\n" + "".join(f"{n},{n % 7},{n % 2}\n" for n in range(40)))
    run_script(folder, NOTEBOOK)
    return folder


@pytest.mark.xdist_group("own code")
@pytest.mark.parametrize("name", ["pickled", "joblibbed"])
def test_a_class_of_a_notebook_is_refused_with_both_remedies(registry, data, notebook, name):
    with pytest.raises((Unprocessable, Unreadable)) as error:
        add(notebook / name, "m", registry, data)
    for words in ("Ratio was defined in a notebook or a script", "--code mytransforms.py", "cloudpickle.dump"):
        assert words in error.value.detail


@pytest.mark.xdist_group("own code")
def test_a_class_of_a_notebook_travels_in_a_cloudpickle(registry, data, frame, notebook):
    manifest = add(notebook / "cloudpickled", "m", registry, data)
    estimator = load(registry, manifest, "strict").estimator
    assert estimator.predict(frame[["a", "b"]]).tolist() == np.fromfile(notebook / "predictions", "int64").tolist()
    assert manifest.requires["cloudpickle"].distribution == "cloudpickle"


@pytest.mark.xdist_group("own code")
def test_own_code_is_stored_with_the_version_and_its_packages_are_written_down(registry, write, tmp_path):
    file, code = write_model(tmp_path / "own", 10)
    data = write(["a"], *([n] for n in range(40)))
    manifest = add(file, "m", registry, data, AddOptions(code=code))
    assert {one.path for one in manifest.code} == set(registry.code_files(manifest))
    assert {module: one.version for module, one in manifest.requires.items()} == {
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
    }
    assert "mypackage" not in sys.modules


@pytest.mark.xdist_group("own code")
@pytest.mark.parametrize(("given", "option"), [([], "--code mypackage"), (["mypackage"], "--code steps.py")])
def test_code_that_was_not_given_is_named_with_the_option(registry, data, tmp_path, given, option):
    file, _ = write_model(tmp_path / "own", 10)
    with pytest.raises(Unprocessable) as error:
        add(file, "m", registry, data, AddOptions(code=[tmp_path / "own" / name for name in given]))
    assert option in error.value.detail
    assert registry.names() == []


@pytest.mark.xdist_group("own code")
def test_a_module_without_the_class_is_said_with_the_nearest(registry, data, tmp_path):
    file, code = write_model(tmp_path / "own", 10)
    source = tmp_path / "own" / "mypackage" / "__init__.py"
    source.write_text(source.read_text().replace("Over", "Overs"))
    with pytest.raises(Unreadable, match="'mypackage' given by --code has no 'Over'; the nearest is 'Overs'"):
        add(file, "m", registry, data, AddOptions(code=code))


def test_a_package_that_is_not_installed_is_named(registry, data, tmp_path):
    (tmp_path / "m.pkl").write_bytes(b"ccatboost.core\nCatBoostClassifier\n.")
    with pytest.raises(Unprocessable, match="needs catboost, which is not installed here: pip install catboost"):
        add(tmp_path / "m.pkl", "m", registry, data)


def test_a_module_of_the_search_path_is_said_to_stay_behind(registry, data, tmp_path, monkeypatch):
    source = "import numpy\nclass Zero:\n    def predict(self, table): return numpy.zeros(len(table))"
    (tmp_path / "beside_me.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "m.pkl"
    file.write_bytes(b"\x80\x04\x8c\x09beside_me\x8c\x04Zero\x93)R.")
    said = []
    manifest = add(file, "m", registry, data, say=said.append)
    assert any("--code beside_me.py" in sentence for sentence in said)
    assert manifest.requires["beside_me"].distribution is None
    monkeypatch.delitem(sys.modules, "beside_me")
