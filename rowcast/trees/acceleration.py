"""A model with fast estimators in place of scikit-learn's, and what is said of each."""

from typing import Any

from rowcast.trees.distinct.cellwise_steps import encoder_of
from rowcast.trees.distinct.transformer_taking import take_transformer
from rowcast.trees.estimator_note import EstimatorNote
from rowcast.trees.model_walk import PREPROCESSOR, replaced
from rowcast.trees.taking import Taken, is_fitted, take

_NOTHING = "It holds neither trees nor encoders."


def accelerated(model: Any) -> tuple[Any, tuple[EstimatorNote, ...]]:
    """Returns the model with fast estimators, and a note for each tree estimator and encoder in it."""
    notes: list[EstimatorNote] = []

    def decide(path: str, estimator: Any) -> Any:
        if estimator is not model and not is_fitted(estimator):
            return estimator  # a parameter, of which the holder fitted clones
        if encoder_of(estimator) is not None:
            fast, note = take_transformer(path, estimator)
            if PREPROCESSOR not in path:  # what HistGradientBoosting does inside is not a part of the model by itself
                notes.append(note)
            return fast
        taken: Taken = take(path, estimator)
        notes.append(taken.note)
        return taken.estimator

    found = replaced(model, decide)
    if not notes:
        notes.append(EstimatorNote("model", type(model).__name__, taken=False, reason=_NOTHING))
    return found, tuple(notes)
