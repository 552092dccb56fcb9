"""Loading a model: the only module that unpickles, and the only one of this package that imports scikit-learn.

A pickle runs code when it is read. So its digest, its signature (if a key is set) and its scikit-learn version are
compared with the manifest before.
"""

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from platform import python_version
from types import FunctionType, ModuleType
from typing import Any, Literal

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning

from rowcast.errors import ModelRefused
from rowcast.logs import logger
from rowcast.models.loading.own_code import NO_CODE, ModelCode
from rowcast.models.loading.pickle_errors import why_unreadable
from rowcast.models.loading.requirements import why_missing
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry

SKLEARN = "scikit-learn"

_NAMELESS = {
    *("Pipeline", "SimpleImputer", "StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler"),
    *("LogisticRegression", "LinearRegression", "Ridge", "RidgeClassifier", "Lasso", "ElasticNet"),
    *("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
    *("RandomForestClassifier", "RandomForestRegressor"),
    *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
}
"""scikit-learn's estimators that use the names of columns only to compare them with those of the training."""


Container = Literal["frame", "array", "row_array", "series"]
"""What `predict` gets: a DataFrame, an array stored by columns or by rows, or the Series of the one feature."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to predict, in one thread."""

    manifest: Manifest
    estimator: Any
    container: Container
    code: ModelCode = NO_CODE
    """The model's own modules, which must be `active` while the estimator predicts."""
    file_bytes: int | None = None
    """Length of the pickle; None if it was not read from the registry."""
    fast: bool = False
    """Whether its trees and encoders are evaluated by the fast path (`rowcast/trees`)."""
    cached: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What was made of the model when it was first needed. A copy of the model makes its own."""


def load(registry: Registry, manifest: Manifest, versions: Literal["strict", "warn"]) -> LoadedModel:
    """Checks, reads and prepares one version. Returns it ready to predict.

    Raises:
        NotFound: the file is missing.
        ModelRefused: digest, signature or scikit-learn version do not match, a package is missing, or the pickle
            cannot be read.
    """
    known_as = f"{manifest.name}@{manifest.version}"
    data, code = registry.model_bytes(manifest), ModelCode(registry.code_files(manifest))
    fault = why_not_here(manifest, versions)
    if fault:
        raise ModelRefused(f"The model {known_as} {fault}.")
    try:
        estimator, trained_with = unpickle(data, code=code)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelRefused(f"The file of {known_as} cannot be read here: {why_unreadable(error, code)}") from error
    if versions == "strict" and trained_with is not None and (fault := another_sklearn(trained_with)):
        raise ModelRefused(f"The model {known_as} {fault}.")
    _warn_of_differences(known_as, manifest, trained_with)
    return replace(as_loaded(manifest, estimator, code), file_bytes=len(data))


def as_loaded(manifest: Manifest, estimator: Any, code: ModelCode = NO_CODE) -> LoadedModel:
    """Returns the estimator with the container that its manifest names, set to predict in one thread."""
    predict_in_one_thread(estimator)
    usual: Container = "frame" if hasattr(estimator, "feature_names_in_") else "array"
    return LoadedModel(manifest, estimator, manifest.container or usual, code)


def without_names(model: LoadedModel) -> LoadedModel:
    """Returns the model with an array in place of a DataFrame, if the estimator does not use the names. It changes it.

    A worker's table has the manifest's features in their order. Comparing their names at every step takes longer than
    predicting one row.
    """
    if model.container == "series" or not _remove_names(model.estimator, model.manifest):
        return model
    return replace(model, container="row_array" if model.container == "row_array" else "array")


def unpickle(
    data: bytes, read: Callable[[bytes], Any] = pickle.loads, code: ModelCode = NO_CODE
) -> tuple[Any, str | None]:
    """Returns the object, and the scikit-learn version that pickled it if that is not the installed one.

    It runs any code that the bytes name, so the caller must have checked where the bytes and the code come from.
    """
    with warnings.catch_warnings(record=True) as caught, code.active():
        warnings.simplefilter("always")
        value = read(data)
    trained_with = None
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            trained_with = warning.message.original_sklearn_version
        else:
            logger("models").warning("model_warns", message=str(warning.message))
    return value, trained_with


def why_not_here(manifest: Manifest, versions: Literal["strict", "warn"]) -> str | None:
    """Returns why this environment must not load the model, as the end of a sentence; None if it may try."""
    if missing := why_missing(manifest.requires):
        return missing
    return another_sklearn(manifest.libraries.get(SKLEARN, "unknown")) if versions == "strict" else None


def another_sklearn(trained_with: str) -> str | None:
    """Returns the end of a sentence if the `MAJOR.MINOR` differs from the installed scikit-learn; else None."""
    here = library_version(SKLEARN) or "none"
    if _major_minor(trained_with) == _major_minor(here):
        return None
    return (
        f"was trained with scikit-learn {trained_with}, but {here} is installed here: train it again with this one, or "
        "set ROWCAST_MODEL_VERSIONS=warn to open it anyway"
    )


def library_version(name: str) -> str | None:
    """Returns the installed version of a distribution, or of Python (`python`); None if it is not installed."""
    if name == "python":
        return python_version()
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return None


def predict_in_one_thread(estimator: Any) -> None:
    """Sets `n_jobs` to 1 in the estimator and in everything in it, also in fitted parts.

    Forests and others keep the `n_jobs` of their training in the pickle. But a worker process has one core, and a
    forest that adds up its trees in many threads has no fixed order of addition.
    """
    for part in components(estimator):
        if "n_jobs" in vars(part):
            part.n_jobs = 1


def _remove_names(estimator: Any, manifest: Manifest) -> bool:
    """Removes the names of columns, if the estimator does not use them. Returns whether it did."""
    if any(column.dtype not in (None, "float64") or column.kind != "number" for column in manifest.table_features):
        return False
    steps = [step for _, step in estimator.steps] if type(estimator).__name__ == "Pipeline" else [estimator]
    if not hasattr(estimator, "feature_names_in_") or not all(map(_is_nameless, [estimator, *steps])):
        return False
    for step in steps:
        vars(step).pop("feature_names_in_", None)
    return True


def _is_nameless(step: Any) -> bool:
    kind = type(step)
    is_known = kind.__module__.startswith("sklearn.") and kind.__name__ in _NAMELESS
    return is_known and "_sklearn_output_config" not in vars(step)  # with `set_output` the next step gets a DataFrame


def components(value: Any) -> Iterator[Any]:
    """Yields `value` and every object inside it, at any depth, that has attributes; each once."""
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif isinstance(one, np.ndarray):
            waiting += one.flat if one.dtype == object else []
        elif hasattr(one, "__dict__"):
            yield one
            waiting += vars(one).values()


def _warn_of_differences(known_as: str, manifest: Manifest, trained_with: str | None) -> None:
    """Logs each library if its version is not that of the training or of the registration."""
    required = {one.distribution: one.version for one in manifest.requires.values() if one.distribution and one.version}
    libraries = required | manifest.libraries | ({SKLEARN: trained_with} if trained_with else {})
    here = {name: library_version(name) for name in libraries}
    differing = {
        name: {"trained": libraries[name], "here": here[name]} for name in libraries if libraries[name] != here[name]
    }
    if differing:
        logger("models").warning("model_libraries_differ", model=known_as, libraries=differing)


def _major_minor(version: str) -> list[str]:
    return version.split(".")[:2]
