"""The use of the fast path: whether a model is evaluated by `rowcast/trees`, after a check on this machine."""

import warnings
from time import perf_counter

from rowcast.logs import logger
from rowcast.models.loading.fast_model import accelerated
from rowcast.models.loading.load import LoadedModel, library_version
from rowcast.scoring.golden_sample import golden_result, golden_table
from rowcast.trees import differences

_LIBRARIES = ("scikit-learn", "numpy")
"""Libraries whose versions decide whether the comparison at registration holds here."""


def with_fast_path(model: LoadedModel, golden: bytes, predicted: str) -> LoadedModel:
    """Returns the model with the fast path, if it predicts the same bits here; otherwise the model as it is.

    With the libraries of the registration, the golden sample is compared. With others, and for a model that was
    registered before there was a fast path, generated rows are compared as well, as at registration. `predicted` is
    what the model predicts for the golden sample without the fast path.
    """
    recorded = model.manifest.fast_path
    if recorded is not None and not recorded.exact:
        return model
    started = perf_counter()
    fast = accelerated(model)
    if not fast.fast:
        return model
    log = logger("models").bind(model=model.manifest.reference)
    found = _difference(model, fast, golden, predicted)
    if found is not None:
        log.warning("fast_path_differs", reason=found)
        return model
    log.info("fast_path_used", seconds=round(perf_counter() - started, 6))
    return fast


def _difference(model: LoadedModel, fast: LoadedModel, golden: bytes, predicted: str) -> str | None:
    """Returns what differs between the model with and without the fast path; None if nothing does."""
    if golden_result(fast, golden) != predicted:
        return "it predicts other bits for the golden sample"
    if model.manifest.fast_path is not None and _has_libraries_of_registration(model):
        return None
    with model.code.active(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the generated rows
        found = differences(model.estimator, fast.estimator, golden_table(model, golden))
    return found[0] if found else None


def _has_libraries_of_registration(model: LoadedModel) -> bool:
    return all(model.manifest.libraries.get(name) == library_version(name) for name in _LIBRARIES)
