import csv
import os
import pickle
import pickletools
import random
import subprocess
import sys
from functools import cache

import pandas as pd
import pytest
from registering import FEW_ALONE

from rowcast.errors import NotFound, Unprocessable
from rowcast.models.estimator_names import FAMILIES
from rowcast.models.loading.load import load
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.fitting.column_kinds import table
from training.fitting.training_file import read_csv
from training.titanic import train_default
from training.train import train as train_with_long_rehearsal

BY_FAMILY = [pytest.param(name, marks=pytest.mark.xdist_group(f"train {name}")) for name in FAMILIES]
"""The tests of one family run in one process, where they share `learned`."""

MIXED = ["sex", "age", "alone", "pclass", "name"]


def train(*arguments, **options):
    """Trains with a short rehearsal: single rows have other tests (`test_rehearsal.py`)."""
    return train_with_long_rehearsal(*arguments, alone=FEW_ALONE, **options)


def opened(registry, reference):
    return load(registry, registry.resolve(reference), "strict")


def scored(model, path):
    """Returns what a worker predicts for the file."""
    return model.estimator.predict(table(read_csv(path).columns, model.manifest.features))


@pytest.fixture(scope="module")
def mixed(titanic, tmp_path_factory):
    """A third of the Titanic with a boolean column, and cells missing in each kind of column."""
    passengers = pd.read_csv(titanic)[::3].reset_index(drop=True)  # of each class; fewer rows make smaller trees
    chance = random.Random(1)
    passengers["alone"] = [
        "" if chance.random() < 0.1 else str(sibsp + parch == 0).lower()
        for sibsp, parch in zip(passengers.sibsp, passengers.parch, strict=True)
    ]
    passengers["sex"] = [None if chance.random() < 0.1 else sex for sex in passengers.sex]
    path = tmp_path_factory.mktemp("mixed") / "mixed.csv"
    passengers.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def few_passengers(titanic, tmp_path_factory):
    """A third of the Titanic, as it is."""
    path = tmp_path_factory.mktemp("few") / "titanic.csv"
    pd.read_csv(titanic, dtype="str", keep_default_na=False)[::3].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def learned(mixed, tmp_path_factory):
    """For a family, a registry with the model `t` of it. It is trained once; the tests only read it."""

    @cache
    def registry_of(estimator):
        registry = Registry(Storage(str(tmp_path_factory.mktemp("learned"))))
        train(mixed, "survived", "t", registry, features=MIXED, estimator=estimator)
        return registry

    return registry_of


def test_the_model_that_ships_is_trained_once_and_gives_0_for_25_and_3(trained):
    registry = Registry(Storage(str(trained)))
    manifest = registry.resolve("titanic@1")
    assert manifest.feature_names == ["age", "pclass"]
    assert manifest.classes == [0, 1]
    model = opened(registry, "titanic@production")
    row = pd.DataFrame({"age": [25.0], "pclass": [3.0]})
    assert model.estimator.predict(row).tolist() == [0]
    assert registry.resolve("titanic") == manifest
    assert train_default(registry) is None
    assert registry.versions("titanic") == ["1"]


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_every_estimator_gives_0_for_25_and_3(registry, few_passengers, estimator):
    train(few_passengers, "survived", "t", registry, features=["age", "pclass"], estimator=estimator)
    row = pd.DataFrame({"age": [25.0], "pclass": [3.0]})
    assert opened(registry, "t").estimator.predict(row).tolist() == [0]


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_every_estimator_learns_from_numbers_text_and_booleans(learned, estimator):
    manifest = learned(estimator).resolve("t")
    assert [(one.name, one.kind, one.missing) for one in manifest.features] == [
        ("sex", "text", True),
        ("age", "number", True),
        ("alone", "boolean", True),
        ("pclass", "number", True),
        ("name", "text", True),
    ]
    assert manifest.features[0].categories == ["female", "male"]
    assert set(manifest.metrics) == {"accuracy", "balanced_accuracy", "log_loss", "roc_auc"}
    assert manifest.metrics["roc_auc"] > 0.7
    assert 0 < manifest.threshold < 1
    assert manifest.training["rows_held_out"] == 88
    assert manifest.probabilities
    assert "mixed.csv" in manifest.training.values()


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_a_script_of_ten_lines_predicts_the_very_same(learned, mixed, estimator):
    model = opened(learned(estimator), "t")
    rows = pd.read_csv(mixed)[MIXED]
    nullable = rows.convert_dtypes(dtype_backend="numpy_nullable").astype({"age": "float64", "pclass": "float64"})
    for frame in (rows, nullable):
        assert (model.estimator.predict(frame) == scored(model, mixed)).all()
    ours = table(read_csv(mixed).columns, model.manifest.features)
    assert (model.estimator.predict_proba(rows) == model.estimator.predict_proba(ours)).all()


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_a_row_alone_is_predicted_as_among_others_whatever_it_lacks(learned, mixed, estimator):
    model = opened(learned(estimator), "t")
    rows = pd.read_csv(mixed)[MIXED].head(40)
    among = model.estimator.predict(rows)
    alone = [model.estimator.predict(rows.iloc[[n]].reset_index(drop=True))[0] for n in range(40)]
    assert alone == among.tolist()
    nothing = pd.DataFrame({name: [None] for name in MIXED}, dtype=object).astype({"age": float, "pclass": float})
    assert model.estimator.predict(nothing).tolist() in ([0], [1])
    # What one row of a file with empty cells is to pandas: columns of NaN.
    assert model.estimator.predict(nothing.astype(float)) == model.estimator.predict(nothing)


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_a_category_that_training_has_not_seen_is_predicted(learned, mixed, estimator):
    row = pd.read_csv(mixed)[MIXED].head(1).assign(sex="unheard of")
    assert opened(learned(estimator), "t").estimator.predict(row).tolist() in ([0], [1])


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_training_twice_gives_the_same_predictions(learned, registry, mixed, estimator):
    train(mixed, "survived", "t", registry, features=MIXED, estimator=estimator)
    first, second = opened(learned(estimator), "t"), opened(registry, "t")
    rows = pd.read_csv(mixed)[MIXED]
    assert (first.estimator.predict_proba(rows) == second.estimator.predict_proba(rows)).all()
    assert first.manifest.metrics == second.manifest.metrics


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_an_amount_is_learned_by_a_regressor(registry, few_passengers, estimator):
    said = []
    manifest = train(few_passengers, "age", "ages", registry, estimator=estimator, say=said.append)
    assert manifest.task == "regression"
    assert manifest.classes is None
    assert not manifest.probabilities
    assert set(manifest.metrics) == {"r2", "mae", "rmse"}
    assert manifest.training["rows_without_target"] == 92
    assert "Left out 92 of 437 rows: they have no 'age'." in said
    assert scored(opened(registry, "ages"), few_passengers).dtype == "float64"


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_no_class_of_ours_is_in_a_pickle(learned, estimator):
    registry = learned(estimator)
    manifest = registry.resolve("t")
    strings = [text for _, text, _ in pickletools.genops(registry.model_bytes(manifest)) if isinstance(text, str)]
    packages = {text.split(".")[0] for text in strings}
    assert packages.isdisjoint({"training", "rowcast", "worker", "api"})


@pytest.mark.xdist_group("train hist_gradient_boosting")
def test_a_program_without_the_training_package_predicts(learned, mixed, tmp_path):
    registry = learned("hist_gradient_boosting")
    manifest = registry.resolve("t")
    (tmp_path / "model.pkl").write_bytes(registry.model_bytes(manifest))
    script = f"""import pickle, sys, pandas as pd
model = pickle.load(open("model.pkl", "rb"))
print(model.predict(pd.read_csv({str(mixed)!r})[{MIXED}]).tolist(), "training" in sys.modules)"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"{scored(opened(registry, 't'), mixed).tolist()} False"


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no", "yes"], ["no", "yes"]),
        (["true", "false"], [False, True]),
        (["3", "7"], [3, 7]),
        (["1.0", "2.0"], [1, 2]),
    ],
)
def test_classes_are_plain_values_of_their_own_kind(registry, write, labels, classes):
    path = write(["x", "y"], *([n, labels[n % 2]] for n in range(40)))
    manifest = train(path, "y", "m", registry)
    assert manifest.classes == classes
    assert [type(label) for label in manifest.classes] == [type(label) for label in classes]
    assert registry.resolve("m@1").classes == classes
    assert set(scored(opened(registry, "m"), path).tolist()) <= set(classes)


def test_more_than_two_classes_some_of_them_rare_are_learned_and_measured(registry, write):
    path = write(["x", "y"], *([n, "abc"[n % 3]] for n in range(60)), [70, "rare"], [71, "pair"], [72, "pair"])
    for estimator in FAMILIES:
        manifest = train(path, "y", "m", registry, estimator=estimator)
        assert manifest.classes == ["a", "b", "c", "pair", "rare"]
        assert set(manifest.metrics) == {"accuracy", "balanced_accuracy", "log_loss"}


def test_a_column_with_a_single_value_is_no_obstacle(registry, write):
    path = write(["x", "z", "y"], *([n, "", n % 2] for n in range(39)), [39, 5, 1])
    for estimator in FAMILIES:
        assert train(path, "y", "m", registry, estimator=estimator).feature_names == ["x", "z"]


def test_an_empty_column_is_left_out_and_said_but_refused_where_it_was_asked_for(registry, write):
    path = write(["x", "z", "y"], *([n, "", n % 2] for n in range(40)))
    said = []
    assert train(path, "y", "m", registry, say=said.append).feature_names == ["x"]
    assert "The column 'z' is empty in every row; it is left out." in said
    with pytest.raises(Unprocessable, match=r"'z' of data\.csv is empty in every row"):
        train(path, "y", "m", registry, features=["x", "z"])


def test_a_cell_that_makes_a_column_text_is_said(registry, write):
    path = write(["x", "y"], *([n, n % 2] for n in range(40)), ["?", 0])
    said = []
    train(path, "y", "m", registry, say=said.append)
    assert "The column 'x' is read as text: row 41 has '?', which is not a number." in said


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("survivd", {}, "no column 'survivd'; the nearest is 'survived'"),
        ("zzz", {}, "these exist: 'age', 'name', 'parch'"),
        ("survived", {"features": ["agee"]}, "no column 'agee'; the nearest is 'age'"),
        ("survived", {"features": ["age", "survived"]}, "'survived' is the target"),
        ("survived", {"features": ["age", "age"]}, "'age' is named twice"),
        ("survived", {"features": []}, "no column to predict 'survived' from"),
        ("survived", {"estimator": "random_forrest"}, "the nearest is 'random_forest'"),
        ("sex", {"estimator": "random_forest_regressor"}, "a regressor learns numbers"),
        ("age", {"estimator": "random_forest_classifier"}, "use a regressor"),
        ("name", {}, "1309 distinct values"),
        ("survived", {"aliases": ["1"]}, "'1' is not a valid alias"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_registered(registry, titanic, target, options, sentence):
    with pytest.raises(Unprocessable) as error:
        train(titanic, target, "t", registry, **options)
    assert sentence in error.value.detail
    assert registry.names() == []


def test_a_file_or_a_name_that_is_none_is_said(registry, titanic, tmp_path):
    with pytest.raises(NotFound, match="File not found"):
        train(tmp_path / "none.csv", "y", "m", registry)
    with pytest.raises(Unprocessable, match="is not a valid name for a model"):
        train(titanic, "survived", "../m", registry)


def test_numbers_that_an_estimator_cannot_take_are_refused_in_words(registry, write):
    path = write(["x", "y"], *([n, n % 2] for n in range(39)), ["1e300", 1])
    with pytest.raises(Unprocessable, match="The estimator cannot be fitted to these rows"):
        train(path, "y", "m", registry, estimator="random_forest")


def test_aliases_move_to_the_new_version(registry, titanic):
    for _ in range(2):
        train(
            *(titanic, "survived", "t", registry),
            features=["age"],
            estimator="logistic_regression",
            aliases=["production", "blue"],
        )
    assert registry.aliases("t") == {"latest": "2", "production": "2", "blue": "2"}


def test_the_ending_of_a_name_asks_for_a_task(registry, write):
    path = write(["x", "y"], *([n, n % 2] for n in range(40)))
    manifest = train(path, "y", "t", registry, estimator="hist_gradient_boosting_regressor")
    assert manifest.task == "regression"


@pytest.mark.parametrize("estimator", BY_FAMILY)
def test_the_flights_are_learned_with_all_their_columns(registry, flights, estimator):
    manifest = train(flights, "late", "flights", registry, estimator=estimator)
    kinds = {one.name: one.kind for one in manifest.features}
    assert {name for name, kind in kinds.items() if kind == "text"} == {
        "carrier",
        "tailnum",
        "origin",
        "dest",
        "time_hour",
    }
    assert manifest.training["rows"] == 1_000
    assert manifest.metrics["roc_auc"] > 0.85
    model = opened(registry, "flights")
    script = model.estimator.predict(pd.read_csv(flights)[manifest.feature_names])
    assert (script == scored(model, flights)).all()


@pytest.mark.xdist_group("train hist_gradient_boosting")
def test_what_pickle_gives_back_is_what_was_measured(learned, mixed):
    model = opened(learned("hist_gradient_boosting"), "t")
    again = pickle.loads(pickle.dumps(model.estimator))
    assert (again.predict(pd.read_csv(mixed)[MIXED]) == scored(model, mixed)).all()


def test_a_column_name_may_hold_anything(registry, tmp_path):
    path = tmp_path / "odd.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a,b", 'q"', "", "ä b"], *([n, "x", n, n % 2] for n in range(40))])
    assert train(path, "ä b", "m", registry).feature_names == ["a,b", 'q"', "Unnamed: 2"]
