"""Contributions to boosted trees: path-dependent TreeSHAP, as SHAP's `TreeExplainer` computes it.

For scikit-learn's estimators `rowcast/trees/contributions` does it. XGBoost and LightGBM have their own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.dummy import DummyClassifier, DummyRegressor

from rowcast.scoring.explaining.column_origins import Origins
from rowcast.scoring.explaining.explanations import Contributions, Family, Inexplicable
from rowcast.scoring.explaining.raw_scores import DOUBLE_TOLERANCE, SINGLE_TOLERANCE, explained_scores
from rowcast.trees.contributions.path_tables import CLASSIC, HISTOGRAM, path_tables
from rowcast.trees.evaluation.ensemble import Declined
from rowcast.trees.fast_copies import plain_class


class _Boosting:
    """What all boosted trees have in common."""

    family: Family = "boosting"

    def __init__(self, last: Any, origins: Origins, features: int) -> None:
        self._last, self._features = last, features
        self._origins = origins
        if len(origins) != int(last.n_features_in_):
            raise Inexplicable("takes other columns than its steps make")
        self._is_identity = np.array_equal(origins, np.arange(features))

    def _by_feature(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the sums of the columns that come from the same feature, shape (rows, features)."""
        if self._is_identity:
            return values
        found = np.zeros((len(values), self._features))
        for column, feature in enumerate(self._origins.tolist()):
            found[:, feature] += values[:, column]
        return found


class SklearnBoosting(_Boosting):
    """HistGradientBoosting* and GradientBoosting*."""

    def __init__(self, last: Any, origins: Origins, features: int) -> None:
        """Builds the tables of the trees."""
        super().__init__(last, origins, features)
        self._is_histogram = plain_class(last) in HISTOGRAM
        if not self._is_histogram and not _has_constant_start(last):
            raise Inexplicable("starts from the predictions of another estimator (`init`)")
        try:
            self._tables = path_tables(last)
        except Declined as error:
            raise Inexplicable(f"cannot be explained: {error}") from error
        if self._is_histogram and last.is_categorical_ is not None:  # it puts categories in front
            is_category = np.asarray(last.is_categorical_, bool)
            self._origins = origins[np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])]
            self._is_identity = np.array_equal(self._origins, np.arange(features))

    def of(self, encoded: Any) -> Contributions:
        """Returns the contributions to the scores that are explained."""
        last = self._last
        if self._is_histogram:
            start, cells = last._baseline_prediction, last._preprocess_X(encoded, reset=False)
            raw, which = explained_scores(last._raw_predict(encoded))
        else:
            dense = encoded.toarray() if issparse(encoded) else encoded
            cells = np.ascontiguousarray(dense, np.float32)
            start = last._raw_predict_init(cells[:1])
            raw, which = explained_scores(last._raw_predict(cells))
        wide = np.asarray(cells, np.float64)
        values = self._by_feature(self._tables.contributions(wide, which, wide.shape[1]))
        base = (np.asarray(start, np.float64).ravel() + self._tables.means)[which]
        return Contributions(values, base, raw, DOUBLE_TOLERANCE)


class XgboostBoosting(_Boosting):
    """XGBClassifier and XGBRegressor, by `pred_contribs`. They compute in 32-bit floats."""

    def of(self, encoded: Any) -> Contributions:
        """Returns the contributions to the scores that are explained."""
        from xgboost import DMatrix

        last = self._last
        scores = last.predict(encoded, output_margin=True)
        raw, which = explained_scores(scores)
        data = DMatrix(
            encoded, missing=last.missing, nthread=1, feature_types=last.feature_types,
            enable_categorical=last.enable_categorical,
        )  # fmt: skip
        best = getattr(last.get_booster(), "best_iteration", None) if last.early_stopping_rounds else None
        found = last.get_booster().predict(
            data, pred_contribs=True, iteration_range=(0, 0 if best is None else best + 1), validate_features=False
        )
        chosen = np.asarray(_of_score(found, which, self._features_of_model), np.float64)
        return Contributions(self._by_feature(chosen[:, :-1]), chosen[:, -1], raw, SINGLE_TOLERANCE)

    @property
    def _features_of_model(self) -> int:
        return int(self._last.n_features_in_)


class LightgbmBoosting(_Boosting):
    """LGBMClassifier and LGBMRegressor, by `pred_contrib`."""

    def of(self, encoded: Any) -> Contributions:
        """Returns the contributions to the scores that are explained."""
        last = self._last
        raw, which = explained_scores(last.predict(encoded, raw_score=True))
        found = last.predict(encoded, pred_contrib=True)
        # Of a sparse matrix, they are one, or a list with one for each class.
        parts = [part.toarray() if issparse(part) else part for part in (found if isinstance(found, list) else [found])]
        dense = np.stack(parts, axis=1)
        chosen = _of_score(dense, which, int(last.n_features_in_))
        return Contributions(self._by_feature(chosen[:, :-1]), chosen[:, -1], raw, DOUBLE_TOLERANCE)


def _of_score(found: Any, which: NDArray[np.int64], features: int) -> NDArray[np.float64]:
    """Returns the contributions to one score of each row and behind them its base, shape (rows, features + 1)."""
    by_score = np.asarray(found).reshape(len(which), -1, features + 1)
    chosen: NDArray[np.float64] = by_score[np.arange(len(which)), which]
    return chosen


def _has_constant_start(last: Any) -> bool:
    return isinstance(last.init_, str) or plain_class(last.init_) in (DummyClassifier, DummyRegressor)


LIBRARIES: dict[tuple[str, str], type[_Boosting]] = {
    ("xgboost.sklearn", "XGBClassifier"): XgboostBoosting,
    ("xgboost.sklearn", "XGBRegressor"): XgboostBoosting,
    ("lightgbm.sklearn", "LGBMClassifier"): LightgbmBoosting,
    ("lightgbm.sklearn", "LGBMRegressor"): LightgbmBoosting,
}
"""The classes of other libraries, by module and name."""


def boosting_of(last: Any) -> type[Any] | None:
    """Returns what finds the contributions to a model of this exact class, or None if it is not boosting."""
    kind = plain_class(last)
    return SklearnBoosting if kind in (*HISTOGRAM, *CLASSIC) else LIBRARIES.get((kind.__module__, kind.__name__))
