"""The learner: everything that decides which pipeline is fitted, as a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.model_manifest import Feature
from training.fitting.pipelines import recipe
from training.fitting.target import Task


@dataclass(frozen=True)
class Learner:
    """An estimator with its parameters, for certain features."""

    #: A name of `training.fitting.pipelines`, for example `random_forest`.
    estimator: str
    task: Task
    features: Sequence[Feature]
    #: How many rows there are in all; large forests get larger leaves.
    rows: int
    class_weight: Literal["balanced"] | None = None
    #: Parameters of the last step that differ from those of the recipe.
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def pipeline(self) -> Pipeline:
        """Returns the pipeline, which is not fitted yet.

        Raises:
            Unprocessable: there is no such estimator, or it has no classes that could be weighted.
        """
        build = recipe(self.estimator, self.task).build
        weights = {"class_weight": self.class_weight} if self.class_weight is not None else {}
        if weights and self.task == "regression":
            raise Unprocessable.at("class_weight", "is only for classifiers, and this target is an amount")
        pipeline = build(self.features, self.rows)
        pipeline[-1].set_params(**weights, **self.parameters)
        return pipeline
