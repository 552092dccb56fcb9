"""The manifest: what is known about a version of a model without its pickle. The gateway reads nothing else."""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rowcast.models import cells
from rowcast.models.facts.fold_metrics import CrossValidation

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
"""The form of a model's name and of an alias, which are used as folder names and in URLs."""

VERSION = re.compile(r"^[1-9][0-9]{0,8}$")
"""Versions are whole numbers from 1, as text; so an alias can never look like one."""

CODE_PATH = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
"""Paths of a model's code: no name begins with a dot, so no path leads out of the folder `code`."""

MAX_CODE_FILES = 500
MAX_CODE_BYTES = 8 * 1024**2
"""A worker keeps the code of each loaded model in memory."""

MAX_DESCRIPTION = 2_000
"""Maximum characters of what a model is for."""

Label = bool | int | float | str


Kind = Literal["number", "integer", "text", "boolean", "date", "category"]


class Feature(BaseModel):
    """One input column of a model, in the order in which the estimator takes it."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="The column's name, as `pandas.read_csv` gives it.")
    kind: Kind = Field(description="What its cells have to be.")
    missing: bool = Field(description="Whether a missing cell is passed on (NaN or NaT), or makes a bad row.")
    categories: list[Label] | None = Field(
        default=None,
        description="Of a category: all its values, in order. Of text: the values seen, if they are few; for display.",
    )
    dtype: str | None = Field(
        default=None, description="pandas' type of the column in the table; None is the usual one of the kind."
    )
    required: bool = Field(
        default=True, description="False: the model never looks at the column, so a file may do without it."
    )
    unseen: Literal["missing", "kept", "bad"] = Field(
        default="bad", description="Of a category: whether another value is missing, kept as it is, or a bad row."
    )
    largest: int | None = Field(default=None, description="Of a number: its greatest absolute value.")
    true_values: list[str] = Field(default=[], description="The texts that mean true, if not `true` and `1`.")
    false_values: list[str] = Field(default=[], description="The texts that mean false.")
    date_format: str | None = Field(
        default=None, description="Of a date: its format, for example `%Y-%m-%d`, as `pandas.to_datetime` takes it."
    )

    @property
    def true_texts(self) -> Sequence[str]:
        """The cells that mean true, in any case. The first one is how a value is written."""
        return self.true_values or cells.TRUE_TEXTS

    @property
    def false_texts(self) -> Sequence[str]:
        """The cells that mean false, in any case. The first one is how a value is written."""
        return self.false_values or cells.FALSE_TEXTS


class Golden(BaseModel):
    """The golden sample: some rows and what the model predicted for them when it was registered."""

    model_config = ConfigDict(frozen=True)

    rows: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file `golden.json` next to the manifest.")


class ProfileFile(BaseModel):
    """The profile: how the sample was distributed, with which each batch is compared."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(description="Rows of the sample that were counted.")
    features: int = Field(description="Features that are compared: the first ones of the model, at most 500.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file `profile.json` next to the manifest.")


class FastPathEstimator(BaseModel):
    """An estimator of trees or an encoder in a model, and whether the fast path takes it."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="Where it is, as a Python expression, for example `model.steps[1][1]`.")
    class_name: str = Field(description="Name of its class, for example `HistGradientBoostingClassifier`.")
    exact: bool = Field(description="Whether it is taken: its predictions had the same bits at registration.")
    reason: str | None = Field(default=None, description="Why it is left as it is, in a sentence.")


class FastPath(BaseModel):
    """Whether a model's trees and encoders may be evaluated by the fast path (`rowcast/trees`)."""

    model_config = ConfigDict(frozen=True)

    exact: bool = Field(
        description="Whether the model with the fast path predicted the same bits as without it at registration."
    )
    estimators: list[FastPathEstimator] = Field(
        default=[], description="The estimators of trees and the encoders in the model."
    )
    reason: str | None = Field(
        default=None, description="Why the fast path is not used, in a sentence, if `exact` is false."
    )

    def __str__(self) -> str:
        """Returns a sentence for people, for example `Yes, with the same bits: RandomForestClassifier.`."""
        if not self.exact:
            return f"No. {self.reason}"
        taken = ", ".join(dict.fromkeys(one.class_name for one in self.estimators if one.exact))
        left = "".join(f" {one.class_name} is left as it is: {one.reason}" for one in self.estimators if not one.exact)
        return f"Yes, with the same bits: {taken}.{left}"


class ExplanationFacts(BaseModel):
    """Whether the option `explain` can explain a model's predictions, found at registration."""

    model_config = ConfigDict(frozen=True)

    family: Literal["linear", "boosting"] | None = Field(description="How it is explained; null if it cannot be.")
    reason: str | None = Field(
        default=None, description="Why it cannot be explained, as the end of a sentence that begins with the model."
    )
    row_seconds: float | None = Field(
        default=None,
        description="Time that explaining a row took at registration, besides predicting it. A file that is explained "
        "is cut into smaller chunks.",
    )
    means: list[list[float]] | None = Field(
        default=None,
        description="Of a linear model: for each raw score and each feature of its table, the mean of coefficient "
        "times column over the sample. Contributions are the differences from it.",
    )

    def __str__(self) -> str:
        """Returns a sentence for people, for example `Yes, as a linear model.`."""
        if self.family is None:
            return f"No. The model {self.reason}."
        return "Yes, as a linear model." if self.family == "linear" else "Yes, as boosted trees."


class Requirement(BaseModel):
    """An installed package that a model imports."""

    model_config = ConfigDict(frozen=True)

    distribution: str | None = Field(description="What `pip install` calls it; None for a module without a package.")
    version: str | None = Field(description="The version at registration.")
    optional: bool = Field(
        default=False,
        description="Whether it is imported only inside a function or a `try`: the model may do without it.",
    )


class CodeFile(BaseModel):
    """One file of the code that travels with a model."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(
        pattern=CODE_PATH, max_length=400, description="Below `code/` in the version's folder, with `/` as separator."
    )
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    length_bytes: int = Field(ge=0)


class Draft(BaseModel):
    """What is known of a model before the registry gives it a version."""

    model_config = ConfigDict(frozen=True)

    task: Literal["classification", "regression", "clustering", "outlier_detection"]
    features: list[Feature]
    classes: list[Label] | None = Field(
        default=None,
        description="The labels in the order of `predict_proba`, or all possible predictions; None for a regressor.",
    )
    outputs: list[str] | None = Field(
        default=None, description="Names of the outputs of a model that predicts several values a row; None for one."
    )
    probabilities: bool = Field(default=False, description="Whether the estimator has `predict_proba`.")
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Of a model with two classes: `threshold=auto` predicts the second one from this probability on. "
        "None: it was registered without one.",
    )
    scores: list[str] | None = Field(
        default=None, description="The columns that `scores=true` adds (`decision_function`); None if there are none."
    )
    container: Literal["frame", "array", "row_array", "series"] | None = Field(
        default=None,
        description="What `predict` gets: a DataFrame, an array laid out by columns or by rows (the last bits of sums "
        "depend on it), or one Series. None: a DataFrame if the estimator was fitted with one, otherwise an array.",
    )
    na_values: list[str] = Field(
        default=list(cells.NA_TEXTS), description="The cells that mean missing: pandas' own, and those that were named."
    )
    keep_default_na: bool = Field(default=True, description="Whether pandas' own are among them.")
    golden: Golden | None = Field(default=None, description="The golden sample, which a worker checks after loading.")
    profile: ProfileFile | None = Field(
        default=None, description="The profile of the sample; None if it has under 200 rows. Then there is no drift."
    )
    fast_path: FastPath | None = Field(
        default=None,
        description="Whether workers evaluate its trees by the fast path. None: not compared at registration; each "
        "worker finds out when it opens the model.",
    )
    row_seconds: float | None = Field(
        default=None,
        description="Time that `predict` took at registration for each row that a call has more. A file for a slow "
        "model is cut into smaller chunks.",
    )
    explanations: ExplanationFacts | None = Field(
        default=None,
        description="Whether its predictions can be explained. None: registered before there was `explain`.",
    )
    notes: list[str] = Field(default=[], description="What the rehearsal at registration found worth knowing.")
    description: str | None = Field(
        default=None, max_length=MAX_DESCRIPTION, description="What it is for, as its owner says."
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="Measured on held-out rows.")
    cross_validation: CrossValidation | None = Field(default=None, description="None if none was asked for.")
    training: dict[str, Label | list[str] | None] = Field(
        default_factory=dict, description="How it was trained: data, rows, target, estimator."
    )
    libraries: dict[str, str] = Field(
        description="The versions of Python and of the libraries that it was trained with."
    )
    requires: dict[str, Requirement] = Field(
        default_factory=dict,
        description="Module → the installed package that the pickle or the code imports it from.",
    )

    @property
    def feature_names(self) -> list[str]:
        """The features' names in the estimator's order."""
        return [feature.name for feature in self.features]

    @property
    def required_names(self) -> list[str]:
        """The names of the features that an input must have."""
        return [feature.name for feature in self.features if feature.required]

    @property
    def table_features(self) -> list[Feature]:
        """The features that are in the table: all but those that the model never looks at."""
        return [feature for feature in self.features if feature.required]

    @property
    def has_two_classes(self) -> bool:
        """Whether the model has probabilities for two classes, so that a threshold may decide."""
        return self.probabilities and len(self.classes or []) == 2

    def na_texts(self, named: Sequence[str] | None = None) -> frozenset[str]:
        """Returns the cells that mean missing; `named` takes the place of those that were named at registration."""
        if named is None:
            return frozenset(self.na_values)
        return frozenset(cells.na_texts(named, keep_default=self.keep_default_na))


class Manifest(Draft):
    """One version of one model. `sha256` is the digest of the pickle; bytes with another digest are never unpickled."""

    name: str
    version: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    code: list[CodeFile] = Field(
        default_factory=list, max_length=MAX_CODE_FILES, description="The files of the model's own code."
    )
    created_at: str = Field(description="RFC 3339, UTC.")
    signature: str | None = Field(
        default=None,
        description="HMAC-SHA256 (hex) over the manifest without this field, by ROWCAST_MODEL_KEY.",
    )

    @property
    def reference(self) -> str:
        """The version as people and requests name it, for example `titanic@1`."""
        return f"{self.name}@{self.version}"

    @field_validator("code")
    @classmethod
    def _is_small(cls, code: list[CodeFile]) -> list[CodeFile]:
        if sum(file.length_bytes for file in code) > MAX_CODE_BYTES:
            raise ValueError(f"the code is over {MAX_CODE_BYTES} bytes")
        return code
