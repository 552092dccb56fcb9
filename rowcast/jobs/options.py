"""The options of a predict request, checked: the types and limits of the names in `option_table`."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rowcast.jobs.option_table import OPTIONS
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet

ENCODINGS = ("utf-8", "utf-16", "windows-1252", "latin-1")
"""The encodings that a file may have."""

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

LONGEST_SECONDS = 30 * 86_400
"""The longest time that `expires_in` takes."""

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9}) ?([smhd]?)")

ERROR_COLUMN = "prediction_error"
"""The column that `on_error=column` adds."""

_TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_TagValue = Annotated[str, Field(pattern=r"^[^,\x00-\x1f]{0,128}$")]

_Delimiter = Literal["auto", ",", ";", "|", "tab", "\t"]


def _delimiter(value: object) -> object:
    return "\t" if value == "tab" else value


def _names(value: object) -> object:
    """Splits `key`, which is `a,b` in a query and a list in JSON."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


def _texts(value: object) -> object:
    """Splits `na_values`, which is `NA,n/a` in a query and a list in JSON; an empty text is a value too."""
    return value.split(",") if isinstance(value, str) else value


def _seconds(value: object) -> object:
    """Reads `expires_in`: a number of seconds, or a text such as `90s`, `15m`, `2h` or `1d`."""
    if value is None:
        return None
    found = _DURATION.fullmatch(str(value).strip())
    seconds = int(found[1]) * _UNIT_SECONDS[found[2]] if found else 0
    if isinstance(value, bool) or not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError("must be a time from 1 second to 30 days, for example 90, 90s, 15m, 2h or 1d")
    return seconds


def _tags(value: object) -> object:
    """Reads `tags`, which are `run:nightly,team:risk` in a query and an object in JSON."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition(":") for part in value.split(",") if part.strip()]
    if any(not colon for _, colon, _ in pairs):
        raise ValueError("must be pairs, for example run:nightly,team:risk")
    return {name.strip(): text.strip() for name, _, text in pairs}


def _encoding(value: object) -> object:
    """Returns our name of an encoding, for example `utf-8` for `UTF8`; unknown names stay as they are."""
    return _ENCODINGS.get(value.lower().replace("_", "-"), value) if isinstance(value, str) else value


def _option(name: str, **constraints: Any) -> Any:
    return Field(default=OPTIONS[name].default, description=OPTIONS[name].whole_description, **constraints)


class Options(BaseModel):
    """How a job is scored, fixed when the job is created. An unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = _option("model")
    output: Literal["joined", "predictions"] = _option("output")
    key: Annotated[tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | list[str])] = _option("key")
    probabilities: bool = _option("probabilities")
    scores: bool = _option("scores")
    prediction_column: str = _option("prediction_column", min_length=1, max_length=256, pattern=r"^[^\x00]*$")
    on_error: Literal["skip", "fail", "column"] = _option("on_error")
    max_errors: int | None = _option("max_errors", ge=0)
    delimiter: Annotated[
        Literal["auto", ",", ";", "|", "\t"], BeforeValidator(_delimiter, json_schema_input_type=_Delimiter)
    ] = _option("delimiter")
    decimal: Literal[".", ","] = _option("decimal")
    encoding: Annotated[Literal["auto", "utf-8", "utf-16", "windows-1252", "latin-1"], BeforeValidator(_encoding)] = (
        _option("encoding")
    )
    na_values: Annotated[
        tuple[str, ...] | None, BeforeValidator(_texts, json_schema_input_type=str | list[str] | None)
    ] = _option("na_values")
    header: bool = _option("header")
    guard_formulas: bool = _option("guard_formulas")
    priority: Literal["low", "normal", "high"] = _option("priority")
    expires_in: Annotated[int | None, BeforeValidator(_seconds, json_schema_input_type=int | str | None)] = _option(
        "expires_in"
    )
    reuse: bool = _option("reuse")
    tags: Annotated[dict[_TagName, _TagValue], BeforeValidator(_tags, json_schema_input_type=str | dict[str, str])] = (
        _option("tags", max_length=16)
    )
    webhook: str | None = _option("webhook", min_length=1, max_length=2048)

    @property
    def has_error_column(self) -> bool:
        """Whether the result says in a column what is wrong with a bad row."""
        return self.on_error == "column"

    def added_columns(self, models: ModelSet) -> list[str]:
        """Returns the columns that the result adds: those of each model, then that of the error."""
        pairs = zip(models.manifests, models.labels, strict=True)
        columns = [column for manifest, label in pairs for column in self.columns_of(manifest, label)]
        return [*columns, *([ERROR_COLUMN] if self.has_error_column else [])]

    def columns_of(self, manifest: Manifest, label: str = "") -> list[str]:
        """Returns the columns of one model: the predictions, then probabilities and scores.

        `label` names the model if there are two. It comes in front of outputs and classes: `prediction_LABEL`,
        `prediction_LABEL_OUTPUT`, `probability_LABEL_CLASS`, `score_LABEL`, `score_LABEL_CLASS`.
        """
        of = f"_{label}" if label else ""
        outputs = manifest.outputs
        predictions = [f"{self.prediction_column}{of}"]
        if outputs is not None:
            predictions = [f"{self.prediction_column}{of}_{name}" for name in outputs]
        shares = [f"probability{of}_{one}" for one in manifest.classes or []] if self.probabilities else []
        scores = [f"score{of}{name.removeprefix('score')}" for name in manifest.scores or []] if self.scores else []
        return [*predictions, *shares, *scores]
