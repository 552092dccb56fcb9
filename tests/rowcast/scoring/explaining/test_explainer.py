"""Explanations are what a user would compute by hand, and they add up to the model's own raw score."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shap
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier, XGBRegressor

from rowcast.jobs.options import Options, RowExtras
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Draft, ExplanationFacts, Feature
from rowcast.scoring.explaining.explainer import Explainer, explainer_of
from rowcast.scoring.explaining.explanations import Contributions, Explanations, Inexplicable
from rowcast.scoring.explaining.linear_contributions import LinearContributions
from rowcast.scoring.score_chunk import ChunkSpec, score
from rowcast.scoring.score_rows import predict_rows
from rowcast.trees import accelerate

ROWS = 600
RANDOM = np.random.default_rng(5)
NUMBERS = pd.DataFrame(RANDOM.normal(size=(ROWS, 5)), columns=list("abcde"))
FRAME = NUMBERS.assign(town=RANDOM.choice(["Aix", "Bonn", "Cork"], ROWS))
WORDS = FRAME[["town"]].assign(note=RANDOM.choice(["warm", "cold"], ROWS))
GAPS = NUMBERS.mask(RANDOM.random(NUMBERS.shape) < 0.1)
TWO = (NUMBERS["a"] + (NUMBERS["b"] > 0) * NUMBERS["c"] > 0).astype(int)
THREE = np.digitize(NUMBERS["a"] + NUMBERS["b"], [-1, 1])
AMOUNT = NUMBERS["a"] * 3 + NUMBERS["b"] * NUMBERS["c"]
FEW = {"max_iter": 12, "random_state": 0}


def explainer(estimator: Any, frame: pd.DataFrame) -> Explainer:
    """Returns the explainer of a model with its sample, as registration makes it."""
    features = [Feature(name=name, kind="number", missing=True) for name in frame.columns]
    described = Draft(task="classification", features=features, libraries={})
    found = Explainer(estimator, described)
    if isinstance(found.finder, LinearContributions):
        return Explainer(estimator, described, found.finder.mean_terms(found.encoded(frame)))
    return found


def contributions(estimator: Any, frame: pd.DataFrame) -> Contributions:
    """Returns all contributions, which have to add up."""
    made = explainer(estimator, frame)
    found = made.finder.of(made.encoded(frame))
    assert found.adds_up.all()
    return found


def shap_values(estimator: Any, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Returns SHAP's own values and base of each row: for several classes those of the predicted one."""
    explained = shap.TreeExplainer(estimator)
    values, base = np.asarray(explained.shap_values(frame)), np.atleast_1d(explained.expected_value)
    if values.ndim == 2:
        return values, np.broadcast_to(base[-1], len(frame))
    which = np.searchsorted(estimator.classes_, estimator.predict(frame))
    return values[np.arange(len(frame)), :, which], base[which]


@pytest.mark.parametrize(
    ("estimator", "frame", "target"),
    [
        (HistGradientBoostingClassifier(**FEW), GAPS, TWO),
        (HistGradientBoostingClassifier(**FEW), GAPS, THREE),
        (HistGradientBoostingRegressor(**FEW, max_leaf_nodes=None, min_samples_leaf=2), GAPS, AMOUNT),
        (GradientBoostingClassifier(n_estimators=12, random_state=0), NUMBERS, TWO),
        (GradientBoostingRegressor(n_estimators=12, max_depth=8, random_state=0), NUMBERS, AMOUNT),
        (LGBMClassifier(n_estimators=12, verbose=-1), GAPS, THREE),
        (LGBMRegressor(n_estimators=12, verbose=-1), GAPS, AMOUNT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_boosting_has_the_values_of_shaps_tree_explainer(estimator: Any, frame: pd.DataFrame, target: Any) -> None:
    estimator.fit(frame, target)
    values, base = shap_values(estimator, frame)
    for model in (estimator, accelerate(estimator)):
        found = contributions(model, frame)
        np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.base, base, rtol=0, atol=1e-9)


@pytest.mark.parametrize("estimator", [XGBClassifier(n_estimators=9), XGBRegressor(n_estimators=9)])
def test_xgboost_has_the_contributions_of_its_own_library(estimator: Any) -> None:
    target = THREE if isinstance(estimator, XGBClassifier) else AMOUNT
    estimator.fit(GAPS, target)
    values, base = shap_values(estimator, GAPS)
    found = contributions(estimator, GAPS)
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.base, base, rtol=0, atol=1e-4)


def test_an_xgboost_model_that_stopped_early_is_explained_with_the_trees_that_predict() -> None:
    model = XGBRegressor(n_estimators=60, early_stopping_rounds=2, learning_rate=0.9)
    model.fit(NUMBERS[:300], AMOUNT[:300], eval_set=[(NUMBERS[300:], AMOUNT[300:])], verbose=False)
    assert model.best_iteration < 50
    found = contributions(model, NUMBERS)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), model.predict(NUMBERS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize(
    "last",
    [
        LGBMClassifier(n_estimators=5, verbose=-1),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        RidgeClassifier(),
    ],
)
def test_a_sparse_matrix_has_the_explanations_of_the_same_dense_one(last: Any, target: Any) -> None:
    made = explainer(make_pipeline(OneHotEncoder(), clone(last)).fit(WORDS, target), WORDS)
    encoded = made.encoded(WORDS)
    sparse, dense = made.finder.of(encoded), made.finder.of(encoded.toarray())
    assert sparse.adds_up.all()
    np.testing.assert_allclose(sparse.values, dense.values, atol=1e-12)


def test_native_categories_and_several_classes_of_boosting_add_up_where_shap_does_not() -> None:
    frame = NUMBERS.assign(town=RANDOM.choice(["Aix", "Bonn", "Cork", None], ROWS))[["a", "town", "b"]]
    frame["town"] = frame["town"].astype("category")
    target = (frame["town"] == "Bonn").to_numpy() | (frame["a"] > 1.5).to_numpy()
    model = HistGradientBoostingClassifier(**FEW, categorical_features="from_dtype").fit(frame, target)
    found = contributions(model, frame)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), model.decision_function(frame), atol=1e-12)
    assert np.abs(found.values).mean(axis=0).argmax() == 1
    several = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(NUMBERS, THREE)
    found = contributions(several, NUMBERS)
    highest = several.decision_function(NUMBERS).max(axis=1)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), highest, atol=1e-12)


def test_the_integral_is_the_sum_over_all_subsets_of_features() -> None:
    """One tree and one row are compared with the definition of Shapley (1953)."""
    model = HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0, max_leaf_nodes=6, random_state=0)
    model.fit(NUMBERS, AMOUNT)
    nodes = model._predictors[0][0].nodes
    row = NUMBERS.iloc[3].to_numpy()

    def expected(known: frozenset[int], node: int = 0) -> float:
        one = nodes[node]
        if one["is_leaf"]:
            return float(one["value"])
        children = [int(one["left"]), int(one["right"])]
        if one["feature_idx"] in known:
            return expected(known, children[int(row[one["feature_idx"]] > one["num_threshold"])])
        return sum(nodes[child]["count"] / one["count"] * expected(known, child) for child in children)

    subsets = [frozenset(np.flatnonzero([number >> bit & 1 for bit in range(5)]).tolist()) for number in range(32)]
    weight = {len(s): 1 / (5 * [1, 4, 6, 4, 1][len(s)]) for s in subsets if len(s) < 5}
    wanted = [
        sum(weight[len(s)] * (expected(s | {feature}) - expected(s)) for s in subsets if feature not in s)
        for feature in range(5)
    ]
    np.testing.assert_allclose(contributions(model, NUMBERS).values[3], wanted, atol=1e-12)


@pytest.mark.parametrize("estimator", [LinearRegression(), LogisticRegression(), RidgeClassifier(), LinearSVC()])
def test_a_linear_model_has_coefficient_times_distance_from_the_mean(estimator: Any) -> None:
    estimator.fit(NUMBERS, AMOUNT if isinstance(estimator, LinearRegression) else TWO)
    found = contributions(estimator, NUMBERS)
    wanted = np.atleast_2d(estimator.coef_)[0] * (NUMBERS - NUMBERS.mean()).to_numpy()
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)
    explained = shap.LinearExplainer(estimator, shap.maskers.Independent(NUMBERS, max_samples=ROWS))
    np.testing.assert_allclose(found.values, explained.shap_values(NUMBERS), atol=1e-9)
    np.testing.assert_allclose(found.base[0], np.ravel(explained.expected_value)[0], atol=1e-9)


def test_of_several_classes_the_score_of_the_predicted_one_is_explained() -> None:
    model = LogisticRegression().fit(NUMBERS, THREE)
    found, predicted = contributions(model, NUMBERS), model.predict(NUMBERS)
    wanted = model.coef_[predicted] * (NUMBERS - NUMBERS.mean()).to_numpy()
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)
    np.testing.assert_allclose(found.raw, model.decision_function(NUMBERS).max(axis=1))


def test_of_a_model_with_a_link_its_linear_predictor_is_explained() -> None:
    model = PoissonRegressor().fit(NUMBERS, TWO)
    np.testing.assert_allclose(contributions(model, NUMBERS).raw, np.log(model.predict(NUMBERS)), atol=1e-9)


def columns(*, kept: str = "passthrough") -> ColumnTransformer:
    """Encodes the town; the numbers are scaled, binned, or kept."""
    return ColumnTransformer(
        [
            ("town", OneHotEncoder(), ["town"]),
            ("scaled", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["d", "a"]),
            ("binned", KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), [1]),
        ],
        remainder=kept,
    )


@pytest.mark.parametrize("last", [LogisticRegression(), HistGradientBoostingClassifier(**FEW)])
def test_encoded_columns_are_added_up_to_the_users_own_columns(last: Any) -> None:
    frame = FRAME.assign(d=GAPS["d"])
    search = GridSearchCV(make_pipeline(columns(), SelectKBest(k=10), last), {"selectkbest__k": [10]}, cv=2)
    model = search.fit(frame, TWO).best_estimator_
    found = contributions(search if isinstance(last, LogisticRegression) else accelerate(model), frame)
    encoded, fitted = model[:-1].transform(frame), model[-1]
    if isinstance(last, LogisticRegression):
        by_column = fitted.coef_[0] * (encoded - encoded.mean(axis=0))
    else:
        by_column = shap_values(fitted, encoded)[0]
    names = model[:-1].get_feature_names_out()
    for place, name in enumerate(frame.columns):
        own = [one.partition("__")[2].removeprefix("missingindicator_").split("_")[0] == name for one in names]
        np.testing.assert_allclose(found.values[:, place], by_column[:, own].sum(axis=1), atol=1e-9)


def test_words_are_added_up_to_the_column_of_the_text() -> None:
    texts = pd.DataFrame({"note": RANDOM.choice(["warm sun", "cold rain", "cold sun"], ROWS), "a": NUMBERS["a"]})
    words = ColumnTransformer([("note", TfidfVectorizer(), "note"), ("a", FunctionTransformer(np.tanh), ["a"])])
    model = make_pipeline(words, LogisticRegression()).fit(texts, TWO)
    assert contributions(model, texts).values.shape == (ROWS, 2)
    union = FeatureUnion([("same", "passthrough"), ("scaled", StandardScaler())])
    model = make_pipeline(union, LinearRegression()).fit(NUMBERS, AMOUNT)
    assert contributions(model, NUMBERS).values.shape == (ROWS, 5)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (RandomForestClassifier(2), "tens of milliseconds"),
        (SVC(), "is a SVC; only linear models and boosting are explained"),
        (make_pipeline(PCA(2), LogisticRegression()), "has a PCA, each column of which comes from several columns"),
        (make_pipeline(FunctionTransformer(np.fliplr), LogisticRegression()), "feature_names_out='one-to-one'"),
        (GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()), "another estimator (`init`)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_explained_is_refused_with_the_reason(model: Any, why: str) -> None:
    with pytest.raises(Inexplicable) as error:
        explainer(model.fit(NUMBERS, TWO), NUMBERS)
    assert why in str(error.value)


def test_a_row_whose_contributions_do_not_add_up_is_at_fault() -> None:
    found = contributions(HistGradientBoostingClassifier(**FEW).fit(NUMBERS, TWO), NUMBERS)
    off = found.raw.copy()
    off[2] += 1e-6
    off[4] = np.nan
    strongest = Explanations.strongest(replace(found, raw=off), 2)
    assert list(strongest.faults) == [2, 4]
    assert "does not add up to the raw score" in strongest.faults[2]


def test_the_strongest_features_come_first_in_whatever_chunks() -> None:
    made = explainer(make_pipeline(columns(), LogisticRegression()).fit(FRAME, TWO), FRAME)
    whole, values = made.of(FRAME, 3), made.finder.of(made.encoded(FRAME)).values
    np.testing.assert_array_equal(whole.features, np.argsort(-np.abs(values), axis=1, kind="stable")[:, :3])
    for rows in (64, 256, 599):
        pieces = [made.of(FRAME.iloc[start : start + rows], 3) for start in range(0, ROWS, rows)]
        joined = pieces[0].joined(pieces[1:])
        np.testing.assert_array_equal(joined.values, whole.values)
        np.testing.assert_array_equal(joined.features, whole.features)


def explicable(model: LoadedModel) -> LoadedModel:
    """Returns a model of trees as registration would describe it."""
    facts = ExplanationFacts(family="boosting")
    return replace(model, manifest=model.manifest.model_copy(update={"explanations": facts}))


def spec(**options: Any) -> ChunkSpec:
    return ChunkSpec(("a", "b", "c"), b"\n", Options(delimiter=",", output="predictions", **options))


def test_chunks_of_any_size_have_the_explanations_of_the_whole_file(
    models: Mapping[str, LoadedModel], training: pd.DataFrame
) -> None:
    model, lines = explicable(models["trees"]), training.to_csv(index=False, header=False).encode().splitlines(True)
    whole = score(b"".join(lines), 1, model, spec(explain=2)).data
    assert whole.count(b"\n") == len(lines)
    for rows in (64, 100, 399):
        pieces = [b"".join(lines[start : start + rows]) for start in range(0, len(lines), rows)]
        assert b"".join(score(piece, 1, model, spec(explain=2)).data for piece in pieces) == whole


def test_rows_whose_explanation_is_wrong_are_bad_rows_and_the_others_come_back(
    models: Mapping[str, LoadedModel], training: pd.DataFrame
) -> None:
    model, data = explicable(models["trees"]), training.head(64).to_csv(index=False, header=False).encode()
    explainer_of(model).finder._tables.thresholds[0] += 0.3  # the first test of the first tree
    part = score(data, 1, model, spec(explain=1, on_error="column"))
    assert 0 < part.rows_failed < 64
    assert "its explanation does not add up to the raw score" in part.first_error().message
    rows = predict_rows(model, training.head(64).to_numpy().tolist(), [RowExtras(explain=1)] * 64)
    assert sum(isinstance(row, str) for row in rows) == part.rows_failed
