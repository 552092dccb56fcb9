"""The threshold of a model: the best one on some rows, or that of scikit-learn's own classifiers."""

import numpy as np
import pandas as pd
import pytest
from loaded_models import Answering
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.thresholds import best_threshold, own_threshold

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(RANDOM.normal(size=(300, 2)), columns=["a", "b"])
LABELS = np.where(TABLE["a"] + RANDOM.normal(size=300) > 1, "yes", "no").astype("object")
FITTED = LogisticRegression().fit(TABLE, LABELS)


def test_the_best_threshold_has_the_best_balanced_accuracy() -> None:
    shares, is_yes = FITTED.predict_proba(TABLE)[:, 1], LABELS == "yes"
    found = best_threshold(FITTED, TABLE, LABELS)

    def accuracy(threshold: float) -> float:
        return ((shares[is_yes] >= threshold).mean() + (shares[~is_yes] < threshold).mean()) / 2

    assert found.balanced_accuracy == pytest.approx(accuracy(found.threshold))
    assert found.balanced_accuracy == pytest.approx(max(map(accuracy, shares)))
    assert found.threshold not in shares
    assert accuracy(found.threshold) > accuracy(0.5)


def test_of_several_best_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    estimator = Answering(None, np.array([[0.9, 0.1], [0.7, 0.3], [0.55, 0.45], [0.1, 0.9]]))
    estimator.classes_ = np.array([0, 1])
    assert best_threshold(estimator, None, np.array([0, 1, 0, 1])).threshold == pytest.approx(0.675)
    assert best_threshold(estimator, None, np.array([1, 1, 0, 0])) is None, "no threshold is better than none"
    assert best_threshold(estimator, None, np.array([1, 1, 1, 1])) is None


def test_models_without_two_classes_have_no_best_threshold() -> None:
    assert best_threshold(Ridge().fit(TABLE, TABLE["a"]), TABLE, TABLE["a"].to_numpy()) is None
    three = np.arange(300) % 3
    assert best_threshold(LogisticRegression().fit(TABLE, three), TABLE, three) is None


@pytest.mark.parametrize(
    ("estimator", "threshold"),
    [
        (FixedThresholdClassifier(FITTED, threshold=0.3), 0.3),
        (FixedThresholdClassifier(FITTED), 0.5),
        (make_pipeline(StandardScaler(), FixedThresholdClassifier(LogisticRegression(), threshold=0.25)), 0.25),
        (FixedThresholdClassifier(FITTED, threshold=0.3, response_method="decision_function"), None),
        (FixedThresholdClassifier(FITTED, threshold=0.3, pos_label="no"), None),
        (FITTED, None),
    ],
)
def test_a_threshold_of_scikit_learn_counts_if_it_is_a_probability_of_the_second_class(
    estimator: object, threshold: float | None
) -> None:
    assert own_threshold(estimator.fit(TABLE, LABELS), TABLE) == threshold


def test_a_tuned_threshold_is_taken_unless_it_is_one_of_the_first_class() -> None:
    how = {"cv": "prefit", "refit": False, "thresholds": 20}
    tuned = TunedThresholdClassifierCV(FITTED, **how).fit(TABLE, LABELS)
    assert own_threshold(tuned, TABLE) == tuned.best_threshold_ != 0.5
    scoring = make_scorer(recall_score, pos_label="no")
    of_first = TunedThresholdClassifierCV(FITTED, **how, scoring=scoring).fit(TABLE, LABELS)
    assert own_threshold(of_first, TABLE) is None
