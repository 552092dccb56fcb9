import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from structlog.testing import capture_logs

from rowcast.errors import ModelRefused, NotFound
from rowcast.models.loading.load import library_version, load, predict_in_one_thread, without_names
from rowcast.models.model_manifest import Feature
from rowcast.models.registry import Registry
from training.fitting.pipelines import recipe

X = np.arange(40.0).reshape(20, 2)
y = np.array([0, 1] * 10)


@pytest.fixture
def fitted():
    return LogisticRegression().fit(X, y)


@pytest.fixture
def here(draft):
    """A draft of a model that was trained here."""
    return draft.model_copy(update={"libraries": {"scikit-learn": sklearn.__version__}})


def trained_with(draft, version):
    return draft.model_copy(update={"libraries": {"scikit-learn": version}})


def test_a_loaded_model_predicts_what_it_did(registry, here, fitted):
    manifest = registry.register("m", pickle.dumps(fitted), here)
    model = load(registry, manifest, "strict")
    assert model.manifest == manifest
    assert (model.estimator.predict_proba(X) == fitted.predict_proba(X)).all()


def test_a_trap_does_go_off_when_it_is_read(registry, here, trap):
    path, data = trap
    load(registry, registry.register("m", data, here), "strict")
    assert path.read_text() == "read"


def test_a_tampered_file_is_never_read(registry, here, fitted, trap):
    path, data = trap
    manifest = registry.register("m", pickle.dumps(fitted), here)
    registry.storage.put("m/1/model.pkl", data)
    for versions in ("strict", "warn"):
        with pytest.raises(ModelRefused, match="SHA-256"):
            load(registry, manifest, versions)
    assert not path.exists()


@pytest.mark.parametrize("key", [None, "another"])
def test_a_file_whose_manifest_is_not_signed_by_the_key_is_never_read(registry, here, trap, key):
    path, data = trap
    Registry(registry.storage, key).register("m", data, here)
    guarded = Registry(registry.storage, "the key")
    with pytest.raises(ModelRefused, match=r"signature|signed"):
        load(guarded, guarded.resolve("m"), "warn")
    assert not path.exists()


@pytest.mark.parametrize("version", ["0.24.2", "1.8.1", "1.10.0", "2.9.1", "unknown"])
def test_a_file_of_another_scikit_learn_is_never_read_and_both_versions_are_said(registry, draft, trap, version):
    path, data = trap
    manifest = registry.register("m", data, trained_with(draft, version))
    with pytest.raises(ModelRefused) as error:
        load(registry, manifest, "strict")
    assert version in error.value.detail
    assert sklearn.__version__ in error.value.detail
    assert not path.exists()


def test_a_manifest_that_names_no_scikit_learn_is_refused(registry, draft, trap):
    path, data = trap
    manifest = registry.register("m", data, draft.model_copy(update={"libraries": {}}))
    with pytest.raises(ModelRefused, match="unknown"):
        load(registry, manifest, "strict")
    assert not path.exists()


def test_a_path_in_place_of_a_name_is_never_read(registry, here, trap, tmp_path):
    path, data = trap
    manifest = registry.register("m", data, here)
    with pytest.raises(NotFound):
        load(registry, manifest.model_copy(update={"name": "../models/m"}), "warn")
    assert not path.exists()


def test_warn_opens_another_version_and_says_so_in_the_log(registry, draft, fitted, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.2.0")
        data = pickle.dumps(fitted)
    manifest = registry.register("m", data, trained_with(draft, "1.2.0"))
    with capture_logs() as logs:
        model = load(registry, manifest, "warn")
    assert (model.estimator.predict(X) == fitted.predict(X)).all()
    assert [(entry["log_level"], entry["model"]) for entry in logs] == [("warning", "m@1")]
    assert logs[0]["libraries"] == {"scikit-learn": {"trained": "1.2.0", "here": sklearn.__version__}}


def test_a_pickle_that_is_older_than_its_manifest_says_is_refused(registry, here, fitted, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("sklearn.base.__version__", "1.2.0")
        data = pickle.dumps(fitted)
    manifest = registry.register("m", data, here)
    with pytest.raises(ModelRefused, match=r"scikit-learn 1\.2\.0"):
        load(registry, manifest, "strict")


def test_another_patch_release_is_opened_and_said(registry, draft, fitted):
    patch = ".".join([*sklearn.__version__.split(".")[:2], "99"])
    with capture_logs() as logs:
        load(registry, registry.register("m", pickle.dumps(fitted), trained_with(draft, patch)), "strict")
    assert logs[0]["libraries"]["scikit-learn"]["trained"] == patch


def test_other_libraries_that_differ_are_said_and_those_that_are_the_same_are_not(registry, here, fitted):
    libraries = here.libraries | {"numpy": "0.1", "xgboost": "3.0", "python": library_version("python")}
    draft = here.model_copy(update={"libraries": libraries})
    with capture_logs() as logs:
        load(registry, registry.register("m", pickle.dumps(fitted), draft), "strict")
    assert logs[0]["libraries"] == {
        "numpy": {"trained": "0.1", "here": np.__version__},
        "xgboost": {"trained": "3.0", "here": None},
    }


@pytest.mark.parametrize("data", [b"", b"no pickle", b"cno_such_module\nThing\n.", b"cos\nno_such_thing\n."])
def test_a_file_that_cannot_be_read_here_is_refused_in_words(registry, here, data):
    with pytest.raises(ModelRefused, match="m@1 cannot be read here"):
        load(registry, registry.register("m", data, here), "strict")


def test_a_model_predicts_in_one_thread_however_deep_its_parts_lie(registry, here):
    forest = RandomForestClassifier(3, n_jobs=2)
    split = ColumnTransformer([("s", make_pipeline(StandardScaler()), [0, 1])])
    neighbours = GridSearchCV(KNeighborsClassifier(n_jobs=2), {"n_neighbors": [2, 3]}, cv=2)
    vote = VotingClassifier(
        [
            ("forest", forest),
            ("bag", BaggingClassifier(RandomForestClassifier(2, n_jobs=2), 2)),
            ("calibrated", CalibratedClassifierCV(RandomForestClassifier(2, n_jobs=2), cv=2)),
            ("search", neighbours),
        ],
        n_jobs=1,
    )
    pipeline = make_pipeline(split, vote).fit(X, y)
    expected = pipeline.predict(X)
    pipeline[0].n_jobs = pipeline[1].estimators_[1].n_jobs = 2  # to fit and predict so would start processes
    model = load(registry, registry.register("m", pickle.dumps(pipeline), here), "strict").estimator
    inner = model[-1].estimators_
    assert model[0].n_jobs == 1
    assert inner[0].n_jobs == 1
    assert inner[1].n_jobs == 1
    assert [part.n_jobs for part in inner[1].estimators_] == [1, 1]
    assert [part.estimator.n_jobs for part in inner[2].calibrated_classifiers_] == [1, 1]
    assert inner[3].best_estimator_.n_jobs == 1
    assert {value for key, value in model.get_params().items() if key.endswith("n_jobs")} <= {1, None}
    assert (model.predict(X) == expected).all()


def test_a_model_that_holds_itself_is_loaded(registry, here, fitted):
    fitted.me = [fitted, {"again": fitted}]
    model = load(registry, registry.register("m", pickle.dumps(fitted), here), "strict")
    assert model.estimator.me[0] is model.estimator


@pytest.mark.parametrize("kind", ["logistic_regression", "hist_gradient_boosting", "random_forest"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_model_of_numbers_that_forgets_their_names_predicts_the_very_same(registry, here, kind, task):
    draw = np.random.default_rng(1)
    names = ["a", "b", "c"]
    table = pd.DataFrame(draw.normal(size=(300, 3)), columns=names)
    target = table["a"] * 3 + table["b"] if task == "regression" else (table["a"] > table["b"]).astype(int)
    features = [Feature(name=name, kind="number", missing=True) for name in names]
    fitted = recipe(kind, task).build(features, len(table)).fit(table, target)
    predict_in_one_thread(fitted)
    wanted = fitted.predict(table)
    manifest = registry.register("m", pickle.dumps(fitted), here.model_copy(update={"features": features}))
    loaded = nameless(registry, manifest)
    assert not hasattr(loaded, "feature_names_in_")
    numbers = np.stack([table[name].to_numpy() for name in names]).T
    assert (loaded.predict(numbers) == wanted).all()


def test_a_model_that_may_do_something_with_names_keeps_them(registry, here):
    table = pd.DataFrame(X, columns=["a", "b"])
    picks = make_pipeline(ColumnTransformer([("a", "passthrough", ["a"])]), LogisticRegression())
    frames = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression())
    for fitted in (picks.fit(table, y), frames.fit(table, y), Own().fit(table, y)):
        manifest = registry.register("m", pickle.dumps(fitted), here)
        loaded = nameless(registry, manifest)
        assert list(loaded.feature_names_in_) == ["a", "b"]
        assert (loaded.predict(table) == fitted.predict(table)).all()


def nameless(registry, manifest):
    model = load(registry, manifest, "strict")
    return without_names(model).estimator


class Own(LogisticRegression):
    """A user's estimator, which might look at names."""
