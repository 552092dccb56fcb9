"""The fast path of a loaded model: its trees and encoders are evaluated by `rowcast/trees`, with the same bits."""

import warnings
from dataclasses import replace

from rowcast.logs import logger
from rowcast.models.loading.load import LoadedModel
from rowcast.trees import accelerate
from rowcast.wording.exception_text import one_line_with_type


def accelerated(model: LoadedModel) -> LoadedModel:
    """Returns the model with the fast path, or the model itself if there is nothing to accelerate.

    The estimator of the given model stays as it was. If numba is missing or the tables do not fit into the memory, the
    model is returned as it is, and the reason is logged: it predicts the same without the fast path.
    """
    try:
        with model.code.active(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the rows with very large numbers, on which the trees are compared
            estimator = accelerate(model.estimator)
    except Exception as error:
        reason = one_line_with_type(error, 300)
        logger("models").warning("fast_path_unavailable", model=model.manifest.reference, reason=reason)
        return model
    return model if estimator is model.estimator else replace(model, estimator=estimator, fast=True)
