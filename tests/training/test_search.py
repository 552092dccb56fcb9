"""`rowcast train --search`, compared with scikit-learn's own successive halving."""

import numpy as np
import pandas as pd
import pytest
from registering import FEW_ALONE
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import HalvingGridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rowcast.errors import Unprocessable
from rowcast.models.estimator_names import FAMILIES
from rowcast.models.loading.load import load
from training.search.search import rounds
from training.train import train
from training.train_options import TrainOptions

pytestmark = pytest.mark.xdist_group("train options")

ROWS = 200


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Rows of which one feature of ten says something, so that weak regularization is worse than strong."""
    chance = np.random.default_rng(8)
    table = pd.DataFrame(chance.normal(size=(ROWS, 10)).round(3)).add_prefix("x")
    table["y"] = (table.x0 + chance.normal(size=ROWS) > 0).astype(int)
    path = tmp_path_factory.mktemp("noisy") / "noisy.csv"
    table.to_csv(path, index=False)
    return path


def test_the_parameters_of_an_estimator_are_those_that_a_script_finds(registry, noisy):
    shown = []
    manifest = train(
        *(noisy, "y", "m", registry),
        estimator="logistic_regression",
        options=TrainOptions(search=True),
        progress=lambda *done: shown.append(done),
        alone=FEW_ALONE,
    )
    table = pd.read_csv(noisy)
    rest = np.arange(1, ROWS)  # the first row always is fitted to
    fitted_on, held_out = train_test_split(rest, test_size=0.2, random_state=0, stratify=table["y"][rest])
    fitted_on = np.sort(np.append(fitted_on, 0))
    halving = HalvingGridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0)),
        {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]},
        min_resources=60,
        scoring="neg_log_loss",
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        random_state=0,
    ).fit(table.drop(columns="y").iloc[fitted_on], table["y"][fitted_on])
    found = halving.best_params_["logisticregression__C"]
    assert manifest.training["parameters"] == f"C {found:.4g}"
    assert found != 1.0, "scikit-learn's default would not need a search"
    others = table.iloc[held_out]
    accuracy = accuracy_score(others["y"], halving.predict(others.drop(columns="y")))
    assert manifest.metrics["accuracy"] == pytest.approx(accuracy), "the search has not seen these rows"
    assert "4 candidates of logistic_regression" in manifest.training["searched"]
    searched = [(done, every) for what, done, every in shown if what == "Searching"]
    assert searched == [(fit, len(searched)) for fit in range(1, len(searched) + 1)]
    assert len(searched) == 3 * sum(halving.n_candidates_)


def test_all_families_are_searched_and_the_winner_is_registered(registry, noisy):
    said = []
    options = TrainOptions(search=True, class_weight="balanced")
    manifest = train(noisy, "y", "m", registry, options=options, alone=FEW_ALONE, say=said.append)
    assert all(family in manifest.training["searched"] for family in FAMILIES)
    assert manifest.training["searched"].endswith("by balanced_accuracy")
    best = next(line for line in said if line.startswith("  1. "))
    assert best.endswith(f"{manifest.training['estimator']}: {manifest.training['parameters']}")
    last = load(registry, registry.resolve("m"), "strict").estimator[-1]
    assert last.class_weight == "balanced"
    name, _, value = manifest.training["parameters"].partition(",")[0].rpartition(" ")
    assert f"{getattr(last, name):.4g}" == value


def test_amounts_in_time_are_searched_by_their_error(registry, write):
    rows = [[day, day % 7, day % 7 + day / 9] for day in range(90)]
    path = write(["day", "x", "y"], *rows)
    options = TrainOptions(search=True, time="day")
    manifest = train(
        path, "y", "m", registry, estimator="logistic_regression_regressor", options=options, alone=FEW_ALONE
    )
    assert manifest.training["searched"].endswith("by rmse")
    assert manifest.training["parameters"].startswith("alpha ")


def test_rows_that_no_candidate_takes_are_refused(registry, write):
    path = write(["x", "y"], *([n, n % 2] for n in range(39)), ["1e300", 1])
    with pytest.raises(Unprocessable, match="The estimator cannot be fitted to these rows"):
        train(path, "y", "m", registry, estimator="random_forest", options=TrainOptions(search=True), alone=FEW_ALONE)
    assert registry.names() == []


@pytest.mark.parametrize(
    ("candidates", "fewest", "most", "sizes"),
    [(14, 100, 900, [14, 5, 2]), (4, 60, 159, [4]), (4, 60, 200, [4, 2]), (1, 10, 10, [1])],
)
def test_the_rounds_are_those_of_successive_halving(candidates, fewest, most, sizes):
    assert rounds(candidates, fewest, most) == sizes
