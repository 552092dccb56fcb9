"""The manifest: what is known of a model version without opening its pickle; all that the gateway reads."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
"""What a model and an alias may be called: they are folder names and stand in URLs."""

VERSION = re.compile(r"^[1-9][0-9]{0,8}$")
"""Versions are whole numbers from 1, as text; an alias can therefore never look like one."""

Label = bool | int | float | str


class Feature(BaseModel):
    """One input column of a model, in the order in which the estimator takes it."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["number", "text", "boolean"]
    missing: bool = Field(description="Whether an empty cell is passed on (NaN, or None for text) or is a bad row.")
    categories: list[str] | None = Field(
        default=None,
        description="The values seen in training, where they are known and few; for display alone.",
    )


class Draft(BaseModel):
    """What is known of a model before the registry gives it a version."""

    model_config = ConfigDict(frozen=True)

    task: Literal["classification", "regression"]
    features: list[Feature]
    classes: list[Label] | None = Field(
        default=None,
        description="A classifier's labels in the order of `predict_proba`; None for a regressor.",
    )
    probabilities: bool = Field(default=False, description="Whether the estimator has `predict_proba`.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Measured on held-out rows.")
    training: dict[str, Label | list[str] | None] = Field(
        default_factory=dict, description="How it was trained: data, rows, target, estimator."
    )
    libraries: dict[str, str] = Field(
        description="The versions of Python and of the libraries that it was trained with."
    )

    @property
    def feature_names(self) -> list[str]:
        """The features' names in the estimator's order."""
        return [feature.name for feature in self.features]


class Manifest(Draft):
    """One version of one model. `sha256` is that of the pickle's bytes; nothing else is ever unpickled."""

    name: str
    version: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: str = Field(description="RFC 3339, UTC.")
    signature: str | None = Field(
        default=None,
        description="HMAC-SHA256 (hex) over the manifest without this field, by ROWCAST_MODEL_KEY.",
    )
