"""The options of a predict request: the one table of names, defaults and what they take."""

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
    """`key` comes as `a,b` in a query and as a list in JSON."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """`na_values` comes as `NA,n/a` in a query and as a list in JSON; empty text is a value, too."""
    return value.split(",") if isinstance(value, str) else value


def _encoding(value: object) -> object:
    """The names by which people call the encodings that are supported."""
    return _ENCODINGS.get(value.lower().replace("_", "-"), value) if isinstance(value, str) else value


class Options(BaseModel):
    """How a job is scored, fixed when it is made. An unknown option is an error, not a shrug."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        default=None, description="`NAME`, `NAME@VERSION` or `NAME@ALIAS`; None is the default model."
    )
    output: Literal["joined", "predictions"] = "joined"
    key: Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])] = Field(
        default=(), description="Input columns that `output=predictions` carries along."
    )
    probabilities: bool = Field(default=False, description="Adds `probability_CLASS` for each class.")
    scores: bool = Field(
        default=False, description="Adds what `decision_function` gives, as `score` or as `score_CLASS` for each class."
    )
    prediction_column: str = Field(default="prediction", min_length=1, max_length=256, pattern=r"^[^\x00]*$")
    on_error: Literal["skip", "fail"] = Field(default="skip", description="What a bad row does to its job.")
    max_errors: int | None = Field(
        default=None, ge=0, description="The job fails as soon as more rows than this are bad."
    )
    delimiter: Annotated[
        Literal["auto", ",", ";", "|", "\t"], BeforeValidator(_delimiter, json_schema_input_type=_Delimiter)
    ] = Field(
        default="auto",
        description="What separates the fields of a CSV. `auto` is the one under which the header has the features.",
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
    ] = Field(default=None, description="Cells that mean missing, beside pandas' own. None takes those of the model.")
    header: bool = Field(
        default=True, description="False: no header line; the columns are the model's features in order."
    )
    guard_formulas: bool = Field(
        default=False,
        description="Predicted text that a spreadsheet would take for a formula gets an apostrophe in front.",
    )

    def added_columns(self, manifest: Manifest) -> list[str]:
        """The columns that the result adds: the predictions, then probabilities, then scores."""
        outputs = manifest.outputs
        predictions = [self.prediction_column]
        if outputs is not None:
            predictions = [f"{self.prediction_column}_{name}" for name in outputs]
        shares = [f"probability_{label}" for label in manifest.classes or []] if self.probabilities else []
        return [*predictions, *shares, *((manifest.scores or []) if self.scores else [])]
