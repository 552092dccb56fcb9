"""Contributions to linear models: coefficient times column, without its mean in the model's sample.

That is SHAP's `LinearExplainer` with the sample as its background (interventional, columns independent).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn import discriminant_analysis, linear_model, svm

from rowcast.scoring.explaining.column_origins import Origins
from rowcast.scoring.explaining.explanations import Contributions, Family, Inexplicable
from rowcast.scoring.explaining.raw_scores import explained_scores, tolerance_of

_WITH_LINK = (linear_model.PoissonRegressor, linear_model.GammaRegressor, linear_model.TweedieRegressor)
"""Their raw score is the link of the prediction, usually its logarithm."""

_MEAN_ROWS = 4_096
"""Rows whose terms are in memory at the same time when their means are found."""

_NOT_LINEAR = {"RANSACRegressor", "SGDOneClassSVM"}

_ELSEWHERE = (svm.LinearSVC, svm.LinearSVR, discriminant_analysis.LinearDiscriminantAnalysis)


def is_linear(kind: type) -> bool:
    """Returns whether the exact class is a linear model of scikit-learn."""
    is_known = kind.__module__.startswith("sklearn.linear_model.") and kind.__name__ not in _NOT_LINEAR
    return (is_known and hasattr(kind, "predict")) or kind in _ELSEWHERE


class LinearContributions:
    """Finds the contributions to one linear model."""

    family: Family = "linear"

    def __init__(self, last: Any, origins: Origins, features: int, means: NDArray[np.float64] | None) -> None:
        """`means` are those of `mean_terms` over the sample, shape (scores, features); None before they are known."""
        self._last = last
        self._coefficients = np.atleast_2d(np.asarray(last.coef_, np.float64))
        scores, columns = self._coefficients.shape
        if len(origins) != columns:
            raise Inexplicable("takes other columns than its steps make")
        intercepts = np.asarray(getattr(last, "intercept_", 0.0), np.float64).ravel()
        self._intercepts = np.broadcast_to(intercepts, (scores,))
        self._means = np.zeros((scores, features)) if means is None else means
        if self._means.shape != (scores, features):
            raise Inexplicable("was registered with other columns")
        self._is_identity = np.array_equal(origins, np.arange(features))
        ones = (np.ones(columns), (np.arange(columns), origins))
        self._of_column = csr_array(ones, shape=(columns, features))

    def mean_terms(self, encoded: Any) -> NDArray[np.float64]:
        """Returns the means of coefficient times column for each score and feature, shape (scores, features)."""
        columns = encoded if issparse(encoded) else np.asarray(encoded, np.float64)
        rows = columns.shape[0]
        sums = np.zeros(self._means.shape)
        for start in range(0, rows, _MEAN_ROWS):
            some = columns[start : start + _MEAN_ROWS]
            sums += [self._terms(some, coefficients).sum(axis=0) for coefficients in self._coefficients]
        return np.asarray(sums / rows)

    def of(self, encoded: Any) -> Contributions:
        """Returns the contributions to the scores that are explained."""
        scores = self._raw(encoded)
        raw, which = explained_scores(scores)
        columns = encoded if issparse(encoded) else np.asarray(encoded, np.float64)
        values = np.empty((len(raw), self._means.shape[1]))
        for score in np.unique(which):
            rows = np.flatnonzero(which == score)
            values[rows] = self._terms(columns[rows], self._coefficients[score]) - self._means[score]
        base = (self._intercepts + self._means.sum(axis=1))[which]
        return Contributions(values, base, raw, tolerance_of(scores))

    def _raw(self, encoded: Any) -> Any:
        if isinstance(self._last, _WITH_LINK):
            return self._last._linear_predictor(encoded)
        method = "decision_function" if hasattr(self._last, "decision_function") else "predict"
        return getattr(self._last, method)(encoded)

    def _terms(self, encoded: Any, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns coefficient times column, added up by feature, shape (rows, features). The rows do not mix."""
        if issparse(encoded):
            products = csr_array(encoded).multiply(coefficients[None, :])
            return np.asarray((csr_array(products) @ self._of_column).toarray(), np.float64)
        dense = np.asarray(encoded, np.float64) * coefficients
        return dense if self._is_identity else np.asarray(dense @ self._of_column)
