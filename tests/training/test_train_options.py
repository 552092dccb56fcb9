"""The options of `rowcast train`, compared with what a script with scikit-learn does."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from registering import FEW_ALONE
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rowcast.cli.model_facts import facts
from rowcast.errors import Unprocessable
from rowcast.models.loading.load import load
from rowcast.models.model_manifest import Manifest
from training.train import train as train_with_long_rehearsal
from training.train_options import TrainOptions

pytestmark = pytest.mark.xdist_group("train options")

ROWS = 240


def train(*arguments, features=("x", "z"), estimator="logistic_regression", **options):
    """Trains with a short rehearsal. Options of `TrainOptions` may be named like others."""
    said = options.pop("say", lambda _finding: None)
    known = {name: options.pop(name) for name in list(options) if name in TrainOptions.__dataclass_fields__}
    return train_with_long_rehearsal(
        *arguments,
        features=features,
        estimator=estimator,
        options=TrainOptions(**known),
        alone=FEW_ALONE,
        say=said,
        **options,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Purchases of some months, of which one in six is returned, in no order."""
    chance = np.random.default_rng(3)
    table = pd.DataFrame({"x": chance.normal(size=ROWS).round(3), "z": chance.normal(size=ROWS).round(3)})
    table["day"] = [str(day)[:10] for day in pd.date_range("2026-01-01", periods=ROWS)]
    table["hour"] = np.arange(ROWS) * 1.5
    table["returned"] = (table.x + chance.normal(size=ROWS) > 1.4).astype(int)
    table["price"] = (10 + 3 * table.x - table.z + chance.normal(size=ROWS) / 2).round(2)
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    table.sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


def script(table, **parameters):
    """What a user would write for the features x and z."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0, **parameters))
    return pipeline.fit(table[["x", "z"]], table["returned"])


def test_balanced_classes_are_those_of_a_script(registry, shop):
    manifest = train(shop, "returned", "m", registry, class_weight="balanced")
    assert manifest.training["class_weight"] == "balanced"
    table = pd.read_csv(shop)
    model = load(registry, registry.resolve("m"), "strict").estimator
    predicted = model.predict_proba(table[["x", "z"]])
    assert (predicted == script(table, class_weight="balanced").predict_proba(table[["x", "z"]])).all()
    assert (predicted != script(table).predict_proba(table[["x", "z"]])).any()


@pytest.mark.parametrize("time", ["day", "hour"])
def test_the_newest_fifth_is_held_out_and_the_time_is_not_a_feature(registry, shop, time):
    others = {"day", "hour", "price"} - {time}
    manifest = train(shop, "returned", "m", registry, features=None, time=time)
    assert manifest.feature_names == [name for name in pd.read_csv(shop) if name in {"x", "z", *others}]
    manifest = train(shop, "returned", "m", registry, time=time)
    older, newer = train_test_split(pd.read_csv(shop).sort_values(time), test_size=0.2, shuffle=False)
    fitted = script(older)
    assert manifest.metrics["accuracy"] == accuracy_score(newer["returned"], fitted.predict(newer[["x", "z"]]))
    auc = roc_auc_score(newer["returned"], fitted.predict_proba(newer[["x", "z"]])[:, 1])
    assert manifest.metrics["roc_auc"] == pytest.approx(auc)
    assert (manifest.training["time"], manifest.training["rows_held_out"]) == (time, len(newer))


def test_a_time_that_is_named_among_the_features_is_one(registry, shop):
    assert train(shop, "returned", "m", registry, features=["x", "hour"], time="hour").feature_names == ["x", "hour"]


def test_folds_and_intervals_are_those_of_a_script(registry, shop):
    said = []
    manifest = train(shop, "returned", "m", registry, cross_validate=4, say=said.append)
    table = pd.read_csv(shop)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0))
    names = {"accuracy": "accuracy", "log_loss": "neg_log_loss", "roc_auc": "roc_auc"}
    splits = StratifiedKFold(4, shuffle=True, random_state=0)
    found = cross_validate(pipeline, table[["x", "z"]], table["returned"], cv=splits, scoring=names)
    for name in names:
        values = np.abs(found[f"test_{name}"])
        low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
        interval = manifest.cross_validation.metrics[name]
        assert (interval.mean, interval.low, interval.high) == pytest.approx((np.mean(values), low, min(1, high)))
    assert manifest.cross_validation.method == "StratifiedKFold"
    assert Manifest.model_validate_json(manifest.model_dump_json()) == registry.resolve("m")
    assert any(sentence.startswith("Cross-validation in 4 folds") for sentence in said)
    assert "mean and 95 % interval of 4 folds (StratifiedKFold)" in facts(manifest)["folds"]


def test_folds_in_time_never_look_ahead(registry, shop):
    manifest = train(shop, "returned", "m", registry, cross_validate=3, time="day")
    table = pd.read_csv(shop).sort_values("day")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0))
    found = cross_validate(pipeline, table[["x", "z"]], table["returned"], cv=TimeSeriesSplit(3), scoring="accuracy")
    assert manifest.cross_validation.method == "TimeSeriesSplit"
    assert manifest.cross_validation.metrics["accuracy"].mean == pytest.approx(np.mean(found["test_score"]))


def test_amounts_and_rare_classes_are_cross_validated(registry, shop, write):
    manifest = train(shop, "price", "m", registry, cross_validate=3)
    assert set(manifest.cross_validation.metrics) == {"mae", "rmse", "r2"}
    rare = write(["x", "z", "y"], *([n % 7, n % 3, "abc"[n % 2]] for n in range(40)), [3, 1, "c"])
    assert "accuracy" in train(rare, "y", "m", registry, cross_validate=3).cross_validation.metrics


def test_a_class_that_only_the_newest_rows_have_is_not_measured(registry, write):
    path = write(["t", "x", "y"], *([n, n % 7, "ab"[n % 2]] for n in range(60)), [60, 3, "new"])
    said = []
    manifest = train(path, "y", "m", registry, features=["x"], time="t", say=said.append)
    assert manifest.classes == ["a", "b", "new"]
    assert "1 held-out row not measured: the other rows have no such class." in said


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("price", {"class_weight": "balanced"}, "is only for classifiers"),
        ("returned", {"class_weight": "heavy"}, "use balanced"),
        ("returned", {"time": "tiem"}, "no column 'tiem'; the nearest is 'time'"),
        ("returned", {"time": "returned"}, "'returned' is the target"),
        ("returned", {"time": "name"}, "row 1 has 'n0'; a time is a date such as 2026-12-31"),
        ("returned", {"time": "time"}, "row 3 has none"),
        ("returned", {"time": "same"}, "the same in every row"),
        ("returned", {"time": "european"}, "row 1 has '31.12.2025'"),
        ("returned", {"time": "x"}, "have only the class 0"),
        ("returned", {"cross_validate": 1}, "from 2 to 20"),
        ("few", {"cross_validate": 15}, "12 rows cannot be split into 15 folds"),
        ("returned", {"report": Path("none/there/report.html")}, "there is no folder"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_registered(registry, write, target, options, sentence):
    header = ["x", "z", "time", "name", "same", "european", "price", "few", "returned"]
    rows = [
        [n, n % 3, "" if n == 2 else n, f"n{n}", 5, "31.12.2025", n / 7, n % 2 if n < 12 else "", int(n >= 32)]
        for n in range(40)
    ]
    with pytest.raises(Unprocessable) as error:
        train(write(header, *rows), target, "m", registry, **options)
    assert sentence in error.value.detail
    assert registry.names() == []


def test_a_feature_that_knows_the_target_is_named_in_notes(registry, write):
    chance = np.random.default_rng(5)
    rows = [
        [number, round(chance.normal(), 3), label, ["yes", "no"][label], label + chance.normal() / 20, "same"]
        for number, label in enumerate(chance.integers(0, 2, 120).tolist())
    ]
    path = write(["id", "x", "y", "word", "almost", "same"], *rows)
    said = []
    manifest = train(path, "y", "m", registry, features=None, say=said.append)
    assert [note.partition(". ")[0].partition(":")[0].partition(" (")[0] for note in manifest.notes] == [
        "The column 'id' has another value in each row, like a number or a name of the row",
        "The column 'word' is the target under another name",
        "The column 'almost' predicts the target without the other columns",
    ]
    assert set(manifest.notes) <= set(said)


def test_an_amount_is_found_under_another_name_and_others_are_not_suspected(registry, shop):
    assert train(shop, "price", "m", registry, features=None, time="day").notes == []
    table = pd.read_csv(shop)
    table["cost"] = table["price"].map("{:.3f}".format)
    table["tax"] = table["price"] * 0.19
    table.to_csv(path := shop.with_name("cost.csv"), index=False)
    notes = train(path, "price", "m", registry, features=None, time="day").notes
    assert [note.split("'")[1] for note in notes] == ["cost", "tax"]
    assert "under another name" in notes[0]
    assert "R²" in notes[1]


def test_text_with_rare_labels_does_not_stop_the_warnings(registry, write):
    rows = [[n % 9, f"v{n % 4}" if n % 5 else "", "rare" if n == 7 else "abcd"[n % 4]] for n in range(80)]
    manifest = train(write(["x", "text", "y"], *rows), "y", "m", registry, features=None)
    assert manifest.notes == []
