"""Adding: registers a pickle that somebody else trained, with the features that a CSV file shows."""

import io
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd

from rowcast.errors import NotFound, Unprocessable, Unreadable
from rowcast.models.load import SKLEARN, library_version, predict_in_one_thread, unpickle
from rowcast.models.manifest import Feature, Manifest
from rowcast.models.names import require_name
from rowcast.models.registry import Registry
from training.columns import feature, table
from training.csvfile import CsvFile, read_csv
from training.measure import measure
from training.register import draft
from training.target import Task, read_target
from training.train import Say, silent

TRIED_ROWS = 100
"""So many rows of the file are predicted to see that the estimator takes them."""


def add(
    file: Path,
    name: str,
    registry: Registry,
    features_from: Path,
    *,
    target: str | None = None,
    say: Say = silent,
) -> Manifest:
    """Registers the pickle in `file` as the next version of `name`; the alias `latest` moves to it.

    It runs the pickle's code: the file is one that whoever calls trusts. Any estimator with `predict` that
    gives one value a row will do; a file by `joblib.dump` is pickled anew. Features are the estimator's own
    (`feature_names_in_`), or the columns of `features_from` in their order, less `target`; their kinds come
    from the cells there. Whether a feature may be missing is tried out. With a `target` it is measured there.

    Raises:
        NotFound: one of the files is not there.
        Unreadable: the pickle cannot be read here.
        Unprocessable: it is no such estimator, or does not fit the columns.
    """
    require_name(name)
    data, estimator, trained_with = _read(file)
    examples = read_csv(features_from)
    names = _feature_names(estimator, examples, target)
    described = [feature(column, examples.column(column, "features")) for column in names]
    rows = table(examples.columns, described)
    _require_prediction(estimator, rows, described)
    described = [
        one.model_copy(update={"missing": _takes_missing(estimator, rows, described, one)}) for one in described
    ]
    metrics = {} if target is None else _measured(estimator, examples, target, rows, described)
    made = draft(
        estimator,
        described,
        metrics=metrics,
        training={
            "added_from": file.name,
            "features_from": examples.name,
            "target": target,
            "estimator": type(estimator).__name__,
        },
    )
    if trained_with is not None:
        say(f"It was trained with scikit-learn {trained_with}; here is {library_version(SKLEARN)}.")
        made = made.model_copy(update={"libraries": made.libraries | {SKLEARN: trained_with}})
    manifest = registry.register(name, data, made)
    say(f"Registered {name}@{manifest.version}.")
    return manifest


def as_input(rows: pd.DataFrame, estimator: Any, features: Sequence[Feature]) -> Any:
    """The table as a worker hands it on: an array (rows, features) where it was fitted without names."""
    if hasattr(estimator, "feature_names_in_"):
        return rows
    numbers = all(one.kind == "number" for one in features)
    return rows.to_numpy(dtype="float64" if numbers else object)


def _read(file: Path) -> tuple[bytes, Any, str | None]:
    """The bytes to register, the estimator in them, and its scikit-learn version where it is another."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.") from None
    try:
        estimator, trained_with = unpickle(data)
    except MemoryError:
        raise
    except Exception as fault:
        data, estimator, trained_with = _read_joblib(file.name, data, fault)
    if not callable(getattr(estimator, "predict", None)):
        raise Unprocessable(f"{file.name} holds a {type(estimator).__name__}, which has no `predict`.")
    predict_in_one_thread(estimator)
    return data, estimator, trained_with


def _read_joblib(name: str, data: bytes, fault: Exception) -> tuple[bytes, Any, str | None]:
    """A file by `joblib.dump`, made into a plain pickle, which is all that a worker reads."""
    try:
        estimator, trained_with = unpickle(data, lambda content: joblib.load(io.BytesIO(content)))
    except MemoryError:
        raise
    except Exception:
        raise Unreadable(f"{name} cannot be read here: {type(fault).__name__}: {fault}") from fault
    return pickle.dumps(estimator, protocol=5), estimator, trained_with


def _feature_names(estimator: Any, examples: CsvFile, target: str | None) -> list[str]:
    own = getattr(estimator, "feature_names_in_", None)
    if own is not None:
        return [str(name) for name in own]
    columns = [column for column in examples.columns if column != target]
    wanted = getattr(estimator, "n_features_in_", len(columns))
    if wanted != len(columns):
        raise Unprocessable.at(
            "features",
            f"the estimator takes {wanted} features without names, and {examples.name} has {len(columns)} "
            "columns for them; it must have just these, in the estimator's order",
        )
    return columns


def _require_prediction(estimator: Any, rows: pd.DataFrame, features: Sequence[Feature]) -> None:
    """Passes an estimator that predicts one value for each of these rows."""
    rows = _complete(rows, [one.name for one in features], features).head(TRIED_ROWS)
    try:
        predicted = _predict(estimator, rows, features)
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        raise Unprocessable(f"The estimator does not take these columns: {fault}") from error
    if predicted.shape != (len(rows),):
        raise Unprocessable(f"The estimator predicts {predicted.shape} for {len(rows)} rows, not one value each.")
    if not hasattr(estimator, "classes_") and predicted.dtype.kind not in "biuf":
        raise Unprocessable(f"The estimator predicts {type(predicted[0]).__name__}, and has no `classes_`.")


def _takes_missing(estimator: Any, rows: pd.DataFrame, features: Sequence[Feature], tried: Feature) -> bool:
    """Whether the estimator predicts a row in which this feature is missing and no other."""
    row = _complete(rows, [one.name for one in features], features).head(1)
    missing = pd.Series([np.nan], dtype="float64") if tried.kind == "number" else pd.Series([None], dtype="object")
    row = row.reset_index(drop=True).assign(**{tried.name: missing})
    try:
        predicted = _predict(estimator, row, features)
    except Exception:  # whatever it raises, a worker's row would meet the same
        return False
    return not pd.isna(predicted).any()


def _complete(rows: pd.DataFrame, names: Sequence[str], features: Sequence[Feature]) -> pd.DataFrame:
    """The rows in which none of these columns is missing; the first row where there is no such row."""
    complete = rows.dropna(subset=list(names)) if names else rows
    chosen = complete if len(complete) else rows.head(1)
    whole = [one.name for one in features if one.kind == "boolean" and chosen[one.name].notna().all()]
    return chosen.astype(dict.fromkeys(whole, "bool"))


def _predict(estimator: Any, rows: pd.DataFrame, features: Sequence[Feature]) -> npt.NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(estimator.predict(as_input(rows, estimator, features)))


def _measured(
    estimator: Any, examples: CsvFile, target: str, rows: pd.DataFrame, features: Sequence[Feature]
) -> dict[str, float]:
    """The metrics on the rows of the file that the estimator takes and that have a target."""
    classes = getattr(estimator, "classes_", None)
    task: Task = "regression" if classes is None else "classification"
    learned = read_target(target, examples.column(target, "target"), task)
    values = pd.Series(learned.values, index=learned.rows)
    unknown = set() if classes is None else set(values.tolist()) - set(np.asarray(classes).tolist())
    if unknown:
        raise Unprocessable.at("target", f"the estimator has no class {min(map(repr, unknown))}")
    taken = _complete(rows.loc[learned.rows], [one.name for one in features if not one.missing], features)
    return measure(estimator, as_input(taken, estimator, features), values.loc[taken.index].to_numpy())
