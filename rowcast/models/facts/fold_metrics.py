"""The metrics of a cross-validation, as the manifest keeps them."""

from pydantic import BaseModel, ConfigDict, Field


class Interval(BaseModel):
    """A metric over the folds of a cross-validation: its mean, and the ends of its 95 % t-interval."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Returns it for people, for example `0.8123 (0.7911 to 0.8335)`."""
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


class CrossValidation(BaseModel):
    """How good fits to parts of the training rows were on the rows that each left out."""

    model_config = ConfigDict(frozen=True)

    folds: int = Field(description="How many times the model was fitted and measured.")
    method: str = Field(description="scikit-learn's class that made the folds, for example `StratifiedKFold`.")
    metrics: dict[str, Interval] = Field(description="Metric → mean and 95 % interval over the folds.")
