"""The check of the fast path: whether the model predicts the same bits with it, on the sample and on generated rows."""

import warnings
from collections.abc import Sequence

from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import FastPath, FastPathEstimator
from rowcast.scoring.table import Table
from rowcast.trees import EstimatorNote, accelerate, differences, explain
from rowcast.wording.exception_text import one_line_with_type


def fast_path(model: LoadedModel, table: Table) -> FastPath | None:
    """Returns whether workers may use the fast path for the model's trees and encoders; None if numba is missing here.

    `table` has the rows of the sample as a worker reads them. The generated rows have cells at the thresholds of the
    trees and next to them, missing and unknown cells, and very small and very large numbers.
    """
    try:
        with model.code.active(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the generated rows
            fast = accelerate(model.estimator)
            notes = explain(fast)  # of the tables that are built already
            is_fast = fast is not model.estimator
            found = differences(model.estimator, fast, table) if is_fast else []
    except ImportError:
        return None
    except Exception as error:
        return FastPath(exact=False, reason=f"It could not be compared: {one_line_with_type(error, 200)}")
    estimators = [_estimator(note, found) for note in notes]
    reasons = dict.fromkeys(one.reason for one in estimators if one.reason is not None)
    is_exact = is_fast and not found
    return FastPath(exact=is_exact, estimators=estimators, reason=None if is_exact else " ".join(reasons))


def _estimator(note: EstimatorNote, found: Sequence[str]) -> FastPathEstimator:
    reason = f"Its bits differ: {found[0]}" if note.taken and found else note.reason or None
    return FastPathEstimator(path=note.path, class_name=note.class_name, exact=reason is None, reason=reason)
