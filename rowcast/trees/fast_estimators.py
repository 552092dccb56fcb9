"""Subclasses of scikit-learn's estimators that replace only the innermost step of predicting.

Validation, classes, losses and links stay scikit-learn's own code. Each step hands over to `super()` if the estimator
was fitted again since its tables were built, or if the call is not one of those that were compared.
"""

from dataclasses import dataclass
from operator import is_
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.ensemble._iforest import _average_path_length
from sklearn.utils.validation import check_is_fitted

from rowcast.trees.fast_copies import FastCopy, addition_of, fast_copy_of

Array = NDArray[Any]


class Tables(Protocol):
    """A leaf sweep or a node walk."""

    def add_to(self, sums: NDArray[np.float64], rows: Array) -> None:
        """Adds the leaves of every tree to the rows' sums."""

    @property
    def table_bytes(self) -> int:
        """Memory of the tables."""


@dataclass(frozen=True)
class FittedTrees:
    """The tables of one estimator, and what they were built from."""

    #: The tables.
    tables: Tables
    #: Number of sums of a row.
    columns: int
    #: What the estimator had when the tables were built: objects that are compared by identity.
    objects: tuple[Any, ...]
    #: Likewise, numbers that are compared by value.
    numbers: tuple[float, ...]


class FastEstimator(FastCopy):
    """What all fast tree estimators have in common."""

    objects_compared: tuple[str, ...] = ()
    numbers_compared: tuple[str, ...] = ()

    @classmethod
    def state(cls, estimator: Any) -> tuple[tuple[Any, ...], tuple[float, ...]]:
        """Returns what changes if the estimator is fitted again: objects, and numbers."""
        objects = tuple(getattr(estimator, name) for name in cls.objects_compared)
        lengths = tuple(len(one) for one in objects if hasattr(one, "__len__"))
        return objects, (*lengths, *(float(getattr(estimator, name)) for name in cls.numbers_compared))

    def current_trees(self) -> FittedTrees | None:
        """Returns the tables, or None if the estimator was fitted again since they were built."""
        trees: FittedTrees | None = addition_of(self)
        if trees is None:
            return None
        try:
            objects, numbers = self.state(self)
        except (AttributeError, TypeError, ValueError):
            return None
        same = len(objects) == len(trees.objects) and all(map(is_, objects, trees.objects))
        return trees if same and numbers == trees.numbers else None


class FastHistGradientBoosting(FastEstimator):
    """HistGradientBoosting*: the sums of the leaves."""

    objects_compared = ("_predictors", "_bin_mapper")

    def _predict_iterations(
        self, X: Array, predictors: Any, raw_predictions: Array, is_binned: bool, n_threads: int  # noqa: N803
    ) -> None:  # fmt: skip
        trees = None if is_binned or predictors is not getattr(self, "_predictors", None) else self.current_trees()
        if trees is None or raw_predictions.dtype != np.float64 or X.dtype != np.float64 or self._has_odd_codes(X):
            super()._predict_iterations(X, predictors, raw_predictions, is_binned, n_threads)
        else:
            trees.tables.add_to(raw_predictions, X)

    def _has_odd_codes(self, cells: Array) -> bool:
        """Returns whether a category's code does not fit into a byte. scikit-learn's encoder writes none that large."""
        if self.is_categorical_ is None:
            return False
        first = int(np.count_nonzero(self.is_categorical_))
        return bool((cells[:, :first] >= 255).any())


class _FastForest(FastEstimator):
    """Sums of the values of a forest's leaves, for rows that scikit-learn has validated."""

    objects_compared = ("estimators_",)

    def _usable_trees(self, rows: Any) -> FittedTrees | None:
        """Returns the tables if rows like these can be predicted by them."""
        trees = self.current_trees()
        return None if trees is None or self.verbose or issparse(rows) else trees

    def _mean(self, trees: FittedTrees, rows: Any) -> NDArray[np.float64]:
        """Returns the mean of the trees, shape (rows, sums)."""
        check_is_fitted(self)
        cells = self._validate_X_predict(rows)
        sums = np.zeros((cells.shape[0], trees.columns))
        trees.tables.add_to(sums, cells)
        sums /= len(self.estimators_)
        return sums


class FastForestClassifier(_FastForest):
    """RandomForestClassifier and ExtraTreesClassifier."""

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        """Returns the mean of the trees' probabilities, as scikit-learn does."""
        trees = self._usable_trees(X)
        if trees is None:
            return super().predict_proba(X)
        mean = self._mean(trees, X)
        if self.n_outputs_ == 1:
            return mean
        by_output = mean.reshape(len(mean), self.n_outputs_, -1)
        return [np.ascontiguousarray(by_output[:, k, :count]) for k, count in enumerate(self.n_classes_)]


class FastForestRegressor(_FastForest):
    """RandomForestRegressor and ExtraTreesRegressor."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Returns the mean of the trees' predictions, as scikit-learn does."""
        trees = self._usable_trees(X)
        if trees is None:
            return super().predict(X)
        mean = self._mean(trees, X)
        return mean if self.n_outputs_ > 1 else mean[:, 0]


class _FastSingleTree(FastEstimator):
    """The values of one tree's leaves."""

    objects_compared = ("tree_",)

    def _leaf_values(self, rows: Any, check_input: bool) -> NDArray[np.float64] | None:
        """Returns the values of the rows' leaves, or None if scikit-learn has to find them."""
        trees = self.current_trees()
        known = check_input or (isinstance(rows, np.ndarray) and rows.dtype == np.float32 and rows.ndim == 2)
        if trees is None or issparse(rows) or not known:
            return None
        check_is_fitted(self)
        cells = self._validate_X_predict(rows, check_input)
        values = np.full((cells.shape[0], trees.columns), -0.0)  # -0.0 + leaf is the leaf, also if that is -0.0
        trees.tables.add_to(values, cells)
        return values


class FastTreeClassifier(_FastSingleTree):
    """DecisionTreeClassifier and ExtraTreeClassifier with one output."""

    def predict(self, X: Any, check_input: bool = True) -> Any:  # noqa: N803
        """Returns the most probable class, as scikit-learn does."""
        values = self._leaf_values(X, check_input)
        if values is None:
            return super().predict(X, check_input)
        return self.classes_.take(np.argmax(values, axis=1), axis=0)

    def predict_proba(self, X: Any, check_input: bool = True) -> Any:  # noqa: N803
        """Returns the share of each class in the leaf, as scikit-learn does."""
        values = self._leaf_values(X, check_input)
        return super().predict_proba(X, check_input) if values is None else values[:, : self.n_classes_]


class FastTreeRegressor(_FastSingleTree):
    """DecisionTreeRegressor and ExtraTreeRegressor with one output."""

    def predict(self, X: Any, check_input: bool = True) -> Any:  # noqa: N803
        """Returns the value of the leaf, as scikit-learn does."""
        values = self._leaf_values(X, check_input)
        return super().predict(X, check_input) if values is None else values[:, 0]


class FastGradientBoosting(FastEstimator):
    """GradientBoosting*: the sums of the leaves on top of the first estimator's prediction."""

    objects_compared = ("estimators_",)
    numbers_compared = ("learning_rate",)

    def _raw_predict(self, X: Any) -> Any:  # noqa: N803
        trees = self.current_trees()
        if trees is None or not isinstance(X, np.ndarray) or X.dtype != np.float32 or not X.flags.c_contiguous:
            return super()._raw_predict(X)
        check_is_fitted(self)
        sums = self._raw_predict_init(X)
        if sums.dtype != np.float64 or sums.shape != (len(X), trees.columns) or not sums.flags.writeable:
            return super()._raw_predict(X)
        trees.tables.add_to(sums, X)
        return sums


class FastIsolationForest(FastEstimator):
    """IsolationForest: the sums of the path lengths."""

    objects_compared = ("estimators_", "estimators_features_", "_decision_path_lengths")

    def _compute_score_samples(self, X: Any, subsample_features: bool) -> Any:  # noqa: N803
        trees = self.current_trees()
        if trees is None or self.verbose or not isinstance(X, np.ndarray) or X.dtype != np.float32:
            return super()._compute_score_samples(X, subsample_features)
        sums = np.zeros((len(X), 1))
        trees.tables.add_to(sums, X)
        depths = sums.ravel()
        denominator = len(self.estimators_) * _average_path_length([self._max_samples])
        return 2 ** (-np.divide(depths, denominator, out=np.ones_like(depths), where=denominator != 0))


def fast_copy(estimator: Any, mixin: type[FastEstimator], tables: Tables, columns: int) -> Any:
    """Returns a copy of the estimator that predicts by the tables. Everything that was fitted is shared."""
    return fast_copy_of(estimator, mixin, FittedTrees(tables, columns, *mixin.state(estimator)))


def trees_replaced_by_tables(estimator: FastEstimator) -> list[Any]:
    """Returns scikit-learn's trees that the estimator's methods do not need as long as the tables are used.

    GradientBoosting keeps its trees: compiled code of scikit-learn takes them, which accepts nothing in their place.
    """
    holders: list[Any] = []
    if isinstance(estimator, _FastSingleTree):
        holders = [estimator]
    elif isinstance(estimator, _FastForest | FastIsolationForest):
        holders = estimator.estimators_
    return [vars(one)["tree_"] for one in holders if "tree_" in vars(one)] if estimator.current_trees() else []


def tables_of(estimator: Any) -> Tables:
    """Returns the tables of a fast estimator."""
    trees: FittedTrees = addition_of(estimator)
    return trees.tables
