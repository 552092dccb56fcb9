"""The options of a request to predict: names, defaults and permitted values, in one table."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rowcast.models.model_manifest import Manifest

_ENCODINGS = {
    "auto": "auto",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
}

_Delimiter = Literal["auto", ",", ";", "|", "tab", "\t"]


def _delimiter(value: object) -> object:
    return "\t" if value == "tab" else value


def _names(value: object) -> object:
    """Reads `key`, which is `a,b` in a query and a list in JSON."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """Reads `na_values`, which is `NA,n/a` in a query and a list in JSON. An empty text is a value, too."""
    return value.split(",") if isinstance(value, str) else value


def _encoding(value: object) -> object:
    """Returns the name of an encoding as we write it: `utf-8` for `UTF8`. Unknown names stay as they are."""
    return _ENCODINGS.get(value.lower().replace("_", "-"), value) if isinstance(value, str) else value


class Options(BaseModel):
    """How a job is scored. Options are fixed when the job is made. An unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        default=None, description="`NAME`, `NAME@VERSION` or `NAME@ALIAS`. None: the default model."
    )
    output: Literal["joined", "predictions"] = Field(
        default="joined", description="`joined`: the input with added columns. `predictions`: only the added columns."
    )
    key: Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])] = Field(
        default=(), description="Input columns that `output=predictions` keeps."
    )
    probabilities: bool = Field(default=False, description="Adds `probability_CLASS` for each class.")
    scores: bool = Field(
        default=False, description="Adds the values of `decision_function`: `score`, or `score_CLASS` for each class."
    )
    prediction_column: str = Field(
        default="prediction",
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00]*$",
        description="Name of the column with the predictions.",
    )
    on_error: Literal["skip", "fail"] = Field(
        default="skip", description="`skip`: a bad row has no prediction. `fail`: it fails the job."
    )
    max_errors: int | None = Field(
        default=None, ge=0, description="The job fails if more rows than this are bad. None: no limit."
    )
    delimiter: Annotated[
        Literal["auto", ",", ";", "|", "\t"], BeforeValidator(_delimiter, json_schema_input_type=_Delimiter)
    ] = Field(
        default="auto",
        description="What separates the fields of a CSV. `auto`: the one with which the header has the features.",
    )
    decimal: Literal[".", ","] = Field(default=".", description="The decimal mark in the cells of a CSV.")
    encoding: Annotated[Literal["auto", "utf-8", "utf-16", "windows-1252", "latin-1"], BeforeValidator(_encoding)] = (
        Field(
            default="auto",
            description="The encoding of a CSV. `auto`: UTF-8, or UTF-16 if its byte order mark comes first.",
        )
    )
    na_values: Annotated[
        tuple[str, ...] | None, BeforeValidator(_texts, json_schema_input_type=str | list[str] | None)
    ] = Field(default=None, description="Cells that mean missing, besides those of pandas. None: those of the model.")
    header: bool = Field(
        default=True, description="False: the file has no header line; its columns are the model's features in order."
    )
    guard_formulas: bool = Field(
        default=False,
        description="Puts an apostrophe before predicted text that a spreadsheet would read as a formula.",
    )

    def added_columns(self, manifest: Manifest) -> list[str]:
        """Returns the columns that the result adds: predictions, then probabilities, then scores."""
        outputs = manifest.outputs
        predictions = [self.prediction_column]
        if outputs is not None:
            predictions = [f"{self.prediction_column}_{name}" for name in outputs]
        shares = [f"probability_{label}" for label in manifest.classes or []] if self.probabilities else []
        return [*predictions, *shares, *((manifest.scores or []) if self.scores else [])]
