"""The explainer of a model: its rows in, the features that moved each prediction most out."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from rowcast.models.model_manifest import Draft
from rowcast.scoring.explaining.boosting_contributions import boosting_of
from rowcast.scoring.explaining.column_origins import Origins, column_origins
from rowcast.scoring.explaining.explanations import Contributions, Explanations, Family, Inexplicable
from rowcast.scoring.explaining.linear_contributions import LinearContributions, is_linear
from rowcast.trees.fast_copies import plain_class

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

_BLOCK_CELLS = 1 << 20
"""Cells of the rows whose contributions are in memory at the same time."""


class _Finder(Protocol):
    """Finds the contributions to the last estimator of a model."""

    family: Family

    def of(self, encoded: Any) -> Contributions:
        """Returns those of some rows, as the estimator gets them."""


class Explainer:
    """Explains the predictions of one model.

    Raises:
        Inexplicable: its predictions cannot be explained.
    """

    def __init__(self, estimator: Any, described: Draft, means: NDArray[np.float64] | None = None) -> None:
        """`means` are those of a linear model (`LinearContributions.mean_terms`)."""
        if described.outputs is not None:
            raise Inexplicable("predicts several values a row")
        self._steps, last = _unwrapped(estimator)
        count = len(described.table_features)
        origins = column_origins(self._steps, _input_places(estimator, described))
        if (origins < 0).any():
            raise Inexplicable("uses a column that is not among its features")
        self.finder: _Finder = _finder_of(last, origins, count, means)

    def encoded(self, table: Any) -> Any:
        """Returns the rows as the last estimator gets them."""
        for step in self._steps:
            if step is not None and step != "passthrough":
                table = step.transform(table)
        return table

    def of(self, table: Any, count: int) -> Explanations:
        """Returns the `count` features that moved each row's prediction most."""
        encoded = self.encoded(table)
        rows, columns = encoded.shape
        height = max(1, _BLOCK_CELLS // max(1, 1 if issparse(encoded) else columns))
        blocks = [
            Explanations.strongest(self.finder.of(_piece(encoded, start, min(rows, start + height))), count)
            for start in range(0, rows, height)
        ]
        return blocks[0] if len(blocks) == 1 else Explanations.of_no_rows(count).joined(blocks)


def explainer_of(model: "LoadedModel") -> Explainer:
    """Returns the explainer of a loaded model, which is built once.

    Raises:
        Inexplicable: its predictions cannot be explained, or it was registered before explanations.
    """
    known: Explainer | None = model.cached.get("explainer")
    if known is None:
        facts = model.manifest.explanations
        if facts is None:
            raise Inexplicable("was registered without explanations")
        means = np.array(facts.means, np.float64) if facts.means is not None else None
        known = model.cached["explainer"] = Explainer(model.estimator, model.manifest, means)
    return known


_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")


def _unwrapped(estimator: Any) -> tuple[list[Any], Any]:
    """Returns the steps before the last estimator, and this one. A search is its best estimator."""
    steps: list[Any] = []
    while True:
        kind = plain_class(estimator)
        if kind.__name__ in _SEARCHES and kind.__module__.startswith("sklearn."):
            estimator = estimator.best_estimator_
        elif (kind.__module__, kind.__name__) == ("sklearn.pipeline", "Pipeline"):
            steps += [step for _, step in estimator.steps[:-1]]
            estimator = estimator.steps[-1][1]
        else:
            return steps, estimator


def _input_places(estimator: Any, described: Draft) -> Origins:
    """Returns the place among the table's features of each column that the estimator was fitted with, -1 if none."""
    names = [feature.name for feature in described.table_features]
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None:
        place_of = {name: place for place, name in enumerate(names)}
        return np.array([place_of.get(name, -1) for name in fitted], np.int64)
    if getattr(estimator, "n_features_in_", len(names)) != len(names):
        raise Inexplicable("takes another number of columns than it was fitted with")
    return np.arange(len(names), dtype=np.int64)


def _finder_of(last: Any, origins: Origins, features: int, means: NDArray[np.float64] | None) -> _Finder:
    kind = plain_class(last)
    if (boosting := boosting_of(last)) is not None:
        found: _Finder = boosting(last, origins, features)
        return found
    if is_linear(kind) and hasattr(last, "coef_"):
        return LinearContributions(last, origins, features, means)
    if kind.__name__ in _FORESTS:
        raise Inexplicable(
            f"is a {kind.__name__}: explaining a row of a forest takes tens of milliseconds, so only linear models and "
            "boosting are explained"
        )
    raise Inexplicable(f"is a {kind.__name__}; only linear models and boosting are explained")


_FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")


def _piece(encoded: Any, start: int, end: int) -> Any:
    if start == 0 and end == encoded.shape[0]:
        return encoded
    return encoded.iloc[start:end] if hasattr(encoded, "iloc") else encoded[start:end]
