"""What is said of an estimator: whether a faster one with the same bits takes its place, and if not, why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EstimatorNote:
    """One estimator that was found in a model."""

    #: Where it is, as a Python expression, for example `model.steps[1][1]`.
    path: str
    #: Name of its class, for example `HistGradientBoostingClassifier`.
    class_name: str
    #: Whether `accelerate` replaces it.
    taken: bool
    #: Why it is not replaced, as a sentence for people; empty if it is.
    reason: str = ""

    def __str__(self) -> str:
        """Returns a line for people."""
        return f"{self.path}: {self.class_name}: " + ("exact fast path" if self.taken else self.reason)
