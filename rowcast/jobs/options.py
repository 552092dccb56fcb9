"""The options of a predict request, checked: the types and limits of the names in `option_table`."""

import math
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rowcast.errors import OptionUnsuitable
from rowcast.jobs.option_table import OPTIONS
from rowcast.models.drift.profile import LEAST_ROWS
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.wording import name_list
from rowcast.wording.quantity import counted

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

_TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_TagValue = Annotated[str, Field(pattern=r"^[^,\x00-\x1f]{0,128}$")]

_ColumnName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]

Threshold = float | Literal["auto"] | None
"""A probability, `auto` for the one in the model's manifest, or None if the model's own `predict` decides."""

_Delimiter = Literal["auto", ",", ";", "|", "tab", "\t"]


def _delimiter(value: object) -> object:
    return "\t" if value == "tab" else value


def _names(value: object) -> object:
    """Splits `key`, which is `a,b` in a query and a list in JSON."""
    return list(filter(None, name_list.split(value))) if isinstance(value, str) else value


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


def _threshold(value: object) -> object:
    """Reads `threshold`: a number from 0 to 1, or `auto`."""
    if value is None or value == "auto":
        return value
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError("must be a number from 0 to 1, for example 0.3, or auto")
    return number


def _columns(value: object) -> object:
    """Reads `columns`: `probability_1:score,prediction` in a query, a list of such texts or an object in JSON.

    Returns the name in the result by the column's own name. If a text has several colons, the last one counts.
    """
    parts = name_list.split(value) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    found: dict[str, str] = {}
    if not all(isinstance(part, str) for part in parts):
        raise ValueError('must be texts, for example ["probability_1:score", "prediction"]')
    for part in filter(None, map(str.strip, parts)):
        own, colon, new = part.rpartition(":")
        own = own.strip() if colon else new
        if own in found:
            raise ValueError(f"names {own!r} twice")
        found[own] = new.strip()
    return found


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
    threshold: Annotated[Threshold, BeforeValidator(_threshold, json_schema_input_type=str | float | None)] = _option(
        "threshold"
    )
    top: int | None = _option("top", ge=1)
    explain: int | None = _option("explain", ge=1)
    prediction_column: str = _option("prediction_column", min_length=1, max_length=256, pattern=r"^[^\x00]*$")
    columns: Annotated[
        dict[str, _ColumnName],
        BeforeValidator(_columns, json_schema_input_type=str | list[str] | dict[str, str]),
    ] = _option("columns")
    on_error: Literal["skip", "fail", "column"] = _option("on_error")
    max_errors: int | None = _option("max_errors", ge=0)
    fail_if_drift: float | None = _option("fail_if_drift", gt=0, allow_inf_nan=False)
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

    def with_numbers(self, models: ModelSet) -> "Options":
        """Returns the options with the number that `threshold=auto` stands for, if all models have the same one."""
        numbers = {manifest.threshold for manifest in models.manifests}
        if self.threshold != "auto" or len(numbers) > 1:
            return self
        return self.model_copy(update={"threshold": numbers.pop()})


def threshold_of(manifest: Manifest, threshold: Threshold) -> float | None:
    """Returns the number that a threshold is for this model; None if the model's own `predict` decides."""
    return manifest.threshold if threshold == "auto" else threshold


class RowExtras(NamedTuple):
    """What a single row asks for besides the model's own prediction. Its fields are options."""

    probabilities: bool = False
    scores: bool = False
    threshold: Threshold = None
    top: int | None = None
    explain: int | None = None

    @classmethod
    def of(cls, options: Options) -> "RowExtras":
        """Returns what these options ask for."""
        return cls(options.probabilities, options.scores, options.threshold, options.top, options.explain)

    @property
    def names(self) -> frozenset[str]:
        """The options that ask for something."""
        return frozenset(part.partition("=")[0] for part in str(self).split(",") if part)

    def __str__(self) -> str:
        """Returns a text for the job's record, for example `probabilities,threshold=0.3`; empty for nothing."""
        flags = [name for name in ("probabilities", "scores") if getattr(self, name)]
        named = ((name, getattr(self, name)) for name in ("threshold", "top", "explain"))
        values = [f"{name}={value}" for name, value in named if value is not None]
        return ",".join(flags + values)

    @classmethod
    def read(cls, text: str) -> "RowExtras":
        """Reads what `str` returned."""
        known = dict(part.partition("=")[::2] for part in text.split(","))
        threshold, top, explain = (known.get(name) for name in ("threshold", "top", "explain"))
        return cls(
            "probabilities" in known,
            "scores" in known,
            "auto" if threshold == "auto" else None if threshold is None else float(threshold),
            None if top is None else int(top),
            None if explain is None else int(explain),
        )


def require_suitable(options: Options, models: ModelSet) -> None:
    """Checks that every model can do what the options ask for.

    Raises:
        OptionUnsuitable: one cannot.
    """
    for manifest in models.manifests:
        if options.probabilities and not manifest.probabilities:
            raise OptionUnsuitable.at("probabilities", f"{manifest.reference} does not return probabilities")
        if options.scores and manifest.scores is None:
            raise OptionUnsuitable.at("scores", f"{manifest.reference} has no `decision_function`")
        _require_threshold(options, manifest)
        _require_top(options, manifest)
    _require_explicable(options, models)
    if options.fail_if_drift is not None and models.first.profile is None:
        why = f"{models.first.reference} has no profile; register it again with a sample of at least {LEAST_ROWS} rows"
        raise OptionUnsuitable.at("fail_if_drift", why)
    if not options.header and not models.has_one_order:
        both = " and ".join(models.references)
        raise OptionUnsuitable.at(
            "header", f"cannot be false, as {both} take different features; send the file with its header line"
        )


def _require_threshold(options: Options, manifest: Manifest) -> None:
    if options.threshold is None:
        return
    if not manifest.has_two_classes:
        has = "does not return probabilities"
        if manifest.probabilities:
            has = f"has {counted(len(manifest.classes or []), 'class')}"
        message = f"is only for models with two classes and probabilities, and {manifest.reference} {has}"
        raise OptionUnsuitable.at("threshold", message)
    if threshold_of(manifest, options.threshold) is None:
        raise OptionUnsuitable.at(
            "threshold",
            f"{manifest.reference} was registered without a threshold; give a number, for example 0.3, or register the "
            "model again with `rowcast models add --threshold 0.3`",
        )


def _require_top(options: Options, manifest: Manifest) -> None:
    if options.top is None:
        return
    if not manifest.probabilities:
        raise OptionUnsuitable.at("top", f"{manifest.reference} does not return probabilities")
    classes = len(manifest.classes or [])
    if options.top > classes:
        message = f"must not be more than {classes}: {manifest.reference} has {counted(classes, 'class')}"
        raise OptionUnsuitable.at("top", message)


def _require_explicable(options: Options, models: ModelSet) -> None:
    if options.explain is None:
        return
    if models.is_pair:
        raise OptionUnsuitable.at("explain", "is only for one model; send the file once for each of the two")
    manifest = models.first
    facts = manifest.explanations
    if facts is None:
        why = "was registered before there were explanations; register it again"
        raise OptionUnsuitable.at("explain", f"{manifest.reference} {why}")
    if facts.family is None:
        raise OptionUnsuitable.at("explain", f"{manifest.reference} {facts.reason}")
    features = len(manifest.table_features)
    if options.explain > features:
        message = f"must not be more than {features}: {manifest.reference} has {counted(features, 'feature')}"
        raise OptionUnsuitable.at("explain", message)
