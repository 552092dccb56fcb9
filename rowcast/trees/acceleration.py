"""A model with fast estimators in place of scikit-learn's, and what is said of each."""

from typing import Any

from rowcast.trees.estimator_note import EstimatorNote
from rowcast.trees.model_walk import replaced
from rowcast.trees.taking import Taken, is_fitted, take


def accelerated(model: Any) -> tuple[Any, tuple[EstimatorNote, ...]]:
    """Returns the model with fast estimators, and a note for each tree estimator in it."""
    notes: list[EstimatorNote] = []

    def decide(path: str, estimator: Any) -> Any:
        if estimator is not model and not is_fitted(estimator):
            return estimator  # a parameter, of which the holder fitted clones
        taken: Taken = take(path, estimator)
        notes.append(taken.note)
        return taken.estimator

    found = replaced(model, decide)
    if not notes:
        notes.append(EstimatorNote("model", type(model).__name__, taken=False, reason="It holds no trees."))
    return found, tuple(notes)
