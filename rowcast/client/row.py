"""A row: the features of one prediction as JSON, and its prediction."""

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rowcast.client.errors import WrongUse


def row_features(features: Any) -> Any:
    """Returns the features as a mapping or a sequence. A pandas Series becomes a mapping by its index.

    Raises:
        WrongUse: the value is a DataFrame, or a Series with an index that does not name the features.
    """
    if hasattr(features, "columns"):
        raise WrongUse("predict takes one row; for a DataFrame use predict_frame, or frame.iloc[0] for one row of it.")
    if not is_series(features):
        return features
    names = list(features.index)
    unnamed = [name for name in names if not isinstance(name, str)]
    if unnamed:
        raise WrongUse(
            f"The Series' index has {unnamed[0]!r}, which is not the name of a feature; "
            "use series.tolist() if the values are in the model's order."
        )
    if len(set(names)) < len(names):
        raise WrongUse("The Series' index names a feature twice.")
    return features.to_dict()


def is_series(features: Any) -> bool:
    """Returns whether the value is a pandas Series."""
    return hasattr(features, "to_dict") and hasattr(features, "index")


def needed_features(row: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the values that the model needs, if the row has all of them and others; otherwise None."""
    features = {feature["name"]: feature.get("required", True) for feature in manifest["features"]}
    if row.keys() <= features.keys() or any(name not in row for name, required in features.items() if required):
        return None
    return {name: row[name] for name in features if name in row}


def to_json(value: object) -> bytes:
    """Returns Python, numpy and pandas values as JSON. NaN, NaT and NA, which JSON does not have, become null.

    Raises:
        WrongUse: a value cannot be written as JSON.
    """
    try:
        return json.dumps(_plain(value), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise WrongUse(f"A value cannot be sent as JSON: {error}") from None


def _plain(value: Any) -> Any:
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing values, recognized without importing pandas
        return None
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal) and value.is_finite():  # as databases return numbers
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.date):  # a datetime and pandas' Timestamp, too
        return value.isoformat()
    return None if isinstance(value, float | Decimal) and math.isnan(value) else value


@dataclass(frozen=True)
class Prediction:
    """The prediction of one row.

    If two models predict, the values of each member have an entry for each model, by its name.
    """

    #: Predicted class or number; None if it is infinite or not a number.
    prediction: Any
    #: Probability of each class by its label; None unless they were requested.
    probabilities: dict[str, Any] | None
    #: Id of the job.
    job: str
    #: Why `prediction` is None, for example that it is infinite.
    warning: str | None = None
    #: What `decision_function` returns, by column name (`score` or `score_CLASS`); None unless they were requested.
    scores: dict[str, Any] | None = None
    #: The most likely classes, each as `{"class": ..., "probability": ...}`; None unless they were requested.
    top: Any = None
    #: The features that moved the prediction most, each as `{"feature": ..., "value": ...}`; None unless requested.
    explanations: list[dict[str, Any]] | None = None
    #: The raw score without any feature, to which the values of all features are added; None unless requested.
    explanation_base: float | None = None

    @classmethod
    def of(cls, result: Mapping[str, Any], job: str) -> "Prediction":
        """Returns the prediction in the result of a job, or in the response to a row that was waited for."""
        probabilities, scores = result.get("probabilities"), result.get("scores")
        return cls(
            result.get("prediction"),
            probabilities,
            job,
            result.get("warning"),
            scores,
            result.get("top"),
            result.get("explanations"),
            result.get("explanation_base"),
        )
