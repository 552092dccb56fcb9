"""The summary of the predictions of one chunk."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowcast.jobs.number_summary import Numbers
from rowcast.jobs.summary import MAX_OUTPUTS, Outputs, Pair, Summary
from rowcast.models.model_set import labels_of
from rowcast.scoring.model_rows import disagreeing
from rowcast.scoring.predicted_cells import counts

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


def summary_of(models: Sequence["LoadedModel"], predictions: Sequence[NDArray[Any]]) -> Summary:
    """Returns the summary of what one model or two predicted for the same rows.

    `predictions` are those of each model, shape (rows,) or (rows, outputs).
    """
    each = [_of_model(values, model) for model, values in zip(models, predictions, strict=True)]
    if len(each) == 1:
        return each[0]
    first, second = predictions
    differing = None
    if _are_comparable(models):
        differing = disagreeing(first, second)
    named = tuple(zip(labels_of([model.manifest for model in models]), each, strict=True))
    if differing is None:
        return Summary(pair=Pair(named))
    return Summary(pair=Pair(named, len(differing), int(differing.sum())))


def _are_comparable(models: Sequence["LoadedModel"]) -> bool:
    """Returns whether both models have one output, or as many as the other. It is the same for all chunks of a job."""
    first, second = (model.manifest.outputs for model in models)
    return (first is None) == (second is None) and len(first or []) == len(second or [])


def _of_model(predictions: NDArray[Any], model: "LoadedModel") -> Summary:
    names, is_regression = model.manifest.outputs, model.manifest.task == "regression"
    if names is None:
        return _of_output(predictions, is_regression)
    not_finite = int((~np.isfinite(np.asarray(predictions, np.float64))).sum()) if is_regression else 0
    some = zip(names[:MAX_OUTPUTS], predictions.T[:MAX_OUTPUTS], strict=True)
    return Summary(
        outputs=Outputs(tuple((name, _of_output(values, is_regression)) for name, values in some), not_finite)
    )


def _of_output(predictions: NDArray[Any], is_regression: bool) -> Summary:
    if is_regression:
        return Summary(numbers=Numbers.of(np.asarray(predictions, np.float64)))
    return Summary(classes=counts(predictions))
