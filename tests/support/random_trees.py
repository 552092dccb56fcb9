"""Random tree estimators of every family, and rows at their thresholds, for tests that compare bits."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble, tree

from rowcast.trees.comparison.edge_sample import edge_sample

Random = np.random.Generator


def random_rows(random: Random, rows: int, features: int, missing: bool) -> NDArray[np.float64]:
    """Returns cells of random kinds: normal, whole, rounded to float32, heavy-tailed, tiny, huge, constant."""
    cells = random.standard_normal((rows, features))
    for column in cells.T:
        kind = random.integers(0, 8)
        if kind == 1:
            column[:] = np.round(column * 3)
        elif kind == 2:
            column[:] = column.astype(np.float32)
        elif kind == 3:
            column[:] = np.exp(3 * column)
        elif kind == 4:
            column[:] *= 1e-41
        elif kind == 5:
            column[:] *= 1e37
        elif kind == 6 and features > 1:
            column[:] = 7.5
    if missing:
        cells[2:][random.random(cells[2:].shape) < 0.15] = np.nan
    return cells


def random_target(random: Random, cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns positive numbers that depend on the first columns."""
    numbers = np.nan_to_num(cells)
    known = numbers / (np.abs(numbers).max(axis=0) + 1e-300)
    return np.exp(known[:, 0] - known[:, -1] + 0.3 * random.standard_normal(len(cells)))


def classes_of(random: Random, target: NDArray[np.float64]) -> NDArray[Any]:
    """Returns one to five classes, as numbers, texts or truth values."""
    count = int(random.integers(1, 6))
    codes = np.digitize(target, np.quantile(target, np.linspace(0, 1, count + 1)[1:-1]))
    if random.random() < 0.3:
        return np.array(["a", "b", "c", "d", "e"])[codes]
    return codes > 0 if count == 2 and random.random() < 0.5 else codes


def _boosting(random: Random, classifier: bool) -> Callable[[], Any]:
    def make() -> Any:
        options: dict[str, Any] = {
            "max_iter": int(random.integers(1, 9)),
            "max_leaf_nodes": int(random.choice([2, 3, 8, 31, 64, 255])),
            "min_samples_leaf": int(random.choice([1, 5, 20])),
            "max_bins": int(random.choice([2, 16, 255])),
            "early_stopping": False,
            "random_state": int(random.integers(0, 1000)),
        }
        if classifier:
            return ensemble.HistGradientBoostingClassifier(**options)
        loss = str(random.choice(["squared_error", "absolute_error", "poisson", "gamma", "quantile"]))
        return ensemble.HistGradientBoostingRegressor(loss=loss, quantile=0.7, **options)

    return make


def _of_trees(random: Random) -> dict[str, Any]:
    return {
        "max_depth": [None, 1, 3, 8, 15][random.integers(0, 5)],
        "max_leaf_nodes": [None, 2, 50][random.integers(0, 3)],
        "max_features": [None, "sqrt"][random.integers(0, 2)],
        "min_samples_leaf": int(random.choice([1, 4])),
        "random_state": int(random.integers(0, 1000)),
    }


def random_estimator(random: Random) -> tuple[Any, NDArray[np.float64]]:
    """Returns a fitted estimator and the rows that it was fitted on."""
    kind = int(random.integers(0, 13))
    missing = kind < 10 and bool(random.integers(0, 2))
    cells = random_rows(random, int(random.choice([3, 60, 700, 2000, 9000])), int(random.integers(1, 9)), missing)
    target = random_target(random, cells)
    classifier = kind in (0, 2, 4, 6, 8, 10)
    weights = random.random(len(cells)) + 0.01 if random.random() < 0.3 and kind != 12 else None
    few = int(random.integers(1, 16))
    made: Any
    if kind < 2:
        made = _boosting(random, classifier)()
        if random.random() < 0.4:
            _use_categories(random, made, cells)
        elif random.random() < 0.3 and not classifier:
            made.set_params(monotonic_cst=random.integers(-1, 2, cells.shape[1]))
    elif kind < 6:
        names = ["RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"]
        made = getattr(ensemble, names[kind - 2])(n_estimators=few, **_of_trees(random))
    elif kind < 10:
        names = ["DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"]
        made = getattr(tree, names[kind - 6])(**_of_trees(random))
    elif kind == 10:
        made = ensemble.GradientBoostingClassifier(n_estimators=few, max_depth=int(random.integers(1, 7)))
    elif kind == 11:
        loss = str(random.choice(["squared_error", "absolute_error", "huber", "quantile"]))
        made = ensemble.GradientBoostingRegressor(loss=loss, n_estimators=few, max_depth=int(random.integers(1, 7)))
    else:
        share = float(random.choice([0.5, 1.0]))
        made = ensemble.IsolationForest(n_estimators=few, max_features=share, random_state=0)
    wanted: NDArray[Any] = classes_of(random, target) if classifier else target
    if kind == 10 and len(np.unique(wanted)) < 2:
        wanted = np.arange(len(cells)) % 2
    if kind in (2, 3) and random.random() < 0.2:
        wanted = np.c_[wanted, wanted[::-1]] if not classifier else np.c_[target > 1, target > 0.5]
    if kind < 2 and classifier and len(np.unique(wanted)) < 2:
        wanted = np.arange(len(cells)) % 3
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        arguments = () if kind == 12 else (wanted,)
        made.fit(cells, *arguments, **({} if weights is None else {"sample_weight": weights}))
    return made, cells


def _use_categories(random: Random, made: Any, cells: NDArray[np.float64]) -> None:
    """Makes some columns whole numbers, and declares them as categories."""
    columns = np.flatnonzero(random.random(cells.shape[1]) < 0.5)
    for column in columns:
        missing = np.isnan(cells[:, column])
        cells[:, column] = random.integers(0, int(random.choice([2, 9, 40, 250])), len(cells))
        cells[missing, column] = np.nan
    if len(columns):
        made.set_params(categorical_features=columns, max_bins=255)


def rows_at_thresholds(random: Random, estimator: Any, cells: NDArray[np.float64], rows: int) -> NDArray[Any]:
    """Returns rows whose cells are drawn column by column from those of training and from cells at thresholds."""
    made = edge_sample(estimator, cells, 2048, int(random.integers(0, 1 << 30)))
    categorical = getattr(estimator, "is_categorical_", None)
    for column in [] if categorical is None else np.flatnonzero(categorical):
        unknown = random.random(len(made)) < 0.1
        made[unknown, column] = random.integers(0, 300, np.count_nonzero(unknown))
    pool = np.concatenate([made, cells])
    if not np.isnan(made).any():
        pool = np.nan_to_num(pool, nan=0.5)
    drawn = [pool[random.integers(0, len(pool), rows), column] for column in range(cells.shape[1])]
    found = np.stack(drawn, axis=1)
    return found if random.random() < 0.7 else np.asfortranarray(found)


def compared(estimator: Any) -> list[str]:
    """Returns the methods whose bits are compared."""
    return [
        name for name in ("predict", "predict_proba", "decision_function", "score_samples") if hasattr(estimator, name)
    ]
