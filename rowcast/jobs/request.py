"""A request to predict, after its checks: the caller, the options, and the model version that it is pinned to."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rowcast.csv.header import Header, check_header
from rowcast.errors import OptionValue, UnknownOption
from rowcast.jobs.job import Format, InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import Repeat
from rowcast.jobs.option_table import OPTIONS
from rowcast.jobs.options import Options
from rowcast.jobs.results.result_columns import added_names
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.wording.nearest import if_nearest

_NOT_IN_RESULT = {"model", "tags", "reuse", "webhook", "priority", "expires_in"}
"""Options that change nothing in a result, and the model, of which the version counts."""

_ADDED_LATER = ("priority", "expires_in", "fail_if_drift", "threshold", "top", "columns", "explain")
"""Options that older gateways do not know. A request that one of them has seen is recognised after an update."""

_NAME_CHARACTERS = 200
"""Number of characters of an unknown name that the message repeats."""

_UNKNOWN = "extra_forbidden"
"""Pydantic's error type for a field that the model does not have."""

_NO_MATCH = "string_pattern_mismatch"
"""Pydantic's error type for a text that has another form. Its message shows the regular expression."""

_TAGS_TAKE = (
    "a name takes 1 to 64 letters from a to z, digits and any of . _ -; "
    "a value takes up to 128 characters, but no comma"
)


class Shadowing(BaseModel):
    """The shadow of an alias, for the jobs that ask for that alias."""

    model_config = ConfigDict(frozen=True)

    #: The version that scores as well.
    model: ModelRef
    #: The share of the jobs that it scores, 0 to 1.
    share: float

    def takes(self, id: str) -> bool:
        """Returns whether the shadow scores the job. It depends on the job's id only, so that anyone can check it.

        The first eight bytes of the id's SHA-256, as a fraction of 2⁶⁴, are compared with the share.
        """
        return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big") / 2**64 < self.share


@dataclass(frozen=True)
class Request:
    """A request to predict, without its body."""

    #: The manifest of the model, or of the first of two; it names the version.
    manifest: Manifest
    #: The options of the request.
    options: Options
    #: Name of the caller's API key; empty if the gateway has no keys.
    owner: str = ""
    #: Id of the HTTP request, for the logs.
    request_id: str = ""
    #: Where the job will belong in the trace of the HTTP request (`TraceContext`).
    traceparent: str = ""
    #: The header `Idempotency-Key`: a caller repeats it to say that a request is the same one again.
    idempotency_key: str | None = None
    #: Name of the file, if the request has one.
    filename: str | None = None
    #: Whether the job only serves the check of a file (`Spec.is_check`).
    is_check: bool = False
    #: The manifest of the second model, if two predict.
    second: Manifest | None = None
    #: The format that the sender says (Content-Type); None if it only says that it is a file.
    format: Format | None = None
    #: The path under which the request came (`Spec.url_prefix`); empty without a webhook.
    url_prefix: str = ""
    #: The pool of workers that will do the job (`Spec.pool`).
    pool: str = ""
    #: The shadow of the alias that the request names; None if it has none.
    shadow: Shadowing | None = None

    def repeat(self, content: bytes | str) -> Repeat | None:
        """Returns the digests by which the same request is recognised, or None without an Idempotency-Key.

        `content` identifies the body, for example by its SHA-256.
        """
        if self.idempotency_key is None:
            return None
        options = self.options.model_dump(mode="json", exclude=_added_later(self.options))
        asked = json.dumps([options, self.filename, content], default=str)
        return Repeat(_digest(f"{self.owner}\n{self.idempotency_key}"), _digest(asked))

    def sameness(self, sha256: str, options: Options) -> str:
        """Returns the digest that two requests share whose results are the same.

        `sha256` is that of the file. `options` are those of the job, with the delimiter that was found.
        """
        asked = options.model_dump(mode="json", exclude=_NOT_IN_RESULT | _added_later(options))
        return _digest(json.dumps([self.owner, self.models.reference, sha256, asked]))

    @property
    def model(self) -> ModelRef:
        """The version that the job is pinned to; of two models the first."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version)

    @property
    def second_model(self) -> ModelRef | None:
        """The second version that the job is pinned to, if two models predict."""
        return None if self.second is None else ModelRef(name=self.second.name, version=self.second.version)

    def spec(
        self,
        kind: Literal["single", "batch"],
        options: Options | None = None,
        input: InputInfo | None = None,
        *,
        id: str = "",
        line_end: str = "\n",
        header_bytes: int = 0,
    ) -> Spec:
        """Returns what is fixed of the job of this request.

        Args:
            id: Of the job, which decides whether the shadow scores it; empty if it is a single one, which none scores.
            kind: As in `Spec`, like the others.
            options: Those of the request, with what was found out about the file; None if nothing was.
            input: What is known of the file of a batch.
            line_end: The line end of the file.
            header_bytes: Length of the result's header line in bytes.
        """
        return Spec(
            kind=kind,
            model=self.model,
            second_model=self.second_model,
            shadow=self._shadow_of(id),
            options=(options or self.options).with_numbers(self.models),
            request_id=self.request_id,
            traceparent=self.traceparent,
            url_prefix=self.url_prefix,
            pool=self.pool,
            input=input,
            is_check=self.is_check,
            line_end=line_end,
            header_bytes=header_bytes,
        )

    def _shadow_of(self, id: str) -> ModelRef | None:
        """Returns the shadow that scores the job. A job that has to end in time has none, because it costs time."""
        if self.shadow is None or not id or self.is_check or self.options.expires_in is not None:
            return None
        return self.shadow.model if self.shadow.takes(id) else None

    @property
    def models(self) -> ModelSet:
        """The models that predict."""
        return ModelSet((self.manifest,) if self.second is None else (self.manifest, self.second))


class StoredRequest(BaseModel):
    """The request of a resumable upload as its record has it, so that any gateway can go on with it."""

    model_config = ConfigDict(frozen=True)

    #: `NAME@VERSION` of the model that the job will be pinned to; of two models with a comma.
    model: str
    #: The options of the request.
    options: Options
    #: As in `Request`.
    owner: str
    #: As in `Request`.
    request_id: str
    #: As in `Request`.
    traceparent: str = ""
    #: As in `Request`.
    idempotency_key: str | None
    #: As in `Request`.
    filename: str | None
    #: Whether the sender says that the file is gzip.
    is_gzip: bool
    #: The format that the sender says; None if it only says that it is a file.
    format: Format | None = None
    #: As in `Request`.
    url_prefix: str = ""
    #: As in `Request`. Chunks may wait in this pool already when another gateway goes on.
    pool: str = ""
    #: As in `Request`.
    shadow: Shadowing | None = None
    #: Maximum bytes of a chunk when the upload was created. A gateway with another setting must cut the same chunks.
    chunk_bytes: int
    #: Maximum rows of a chunk when the upload was created.
    chunk_rows: int

    def request(self, models: ModelSet) -> Request:
        """Returns the request. `models` are those of `model`."""
        known = (self.options, self.owner, self.request_id, self.traceparent, self.idempotency_key, self.filename)
        return Request(
            models.first, *known, second=models.second, url_prefix=self.url_prefix, pool=self.pool, shadow=self.shadow
        )


def checked_options(given: Mapping[str, Any]) -> Options:
    """Returns the options.

    Raises:
        UnknownOption: an option does not exist.
        OptionValue: the value of one is not valid.
    """
    try:
        return Options(**given)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors()]
        kind = UnknownOption if any(fault["type"] == _UNKNOWN for fault in error.errors()) else OptionValue
        raise kind("; ".join(f"{f['where']}: {f['message']}" for f in faults) + ".", faults) from None


def require_columns(header: Header, request: Request) -> None:
    """Checks that a file has the columns that the request needs, and none that the result adds.

    Raises:
        MissingColumns, ColumnClash, UnknownKeyColumn: as `check_header`.
    """
    options, models = request.options, request.models
    needed_by = models.needed_by if models.is_pair else None
    added = added_names(options, models)
    check_header(header, models.required_names, options.key, added, needed_by, are_renamed=bool(options.columns))


def _fault(fault: Any) -> dict[str, str]:
    name = str(fault["loc"][0])[:_NAME_CHARACTERS]
    if fault["type"] == _UNKNOWN:
        return {"where": name, "message": f"unknown option{if_nearest(name, Options.model_fields)}"}
    message = fault["msg"].removeprefix("Value error, ")
    if name == "tags" and fault["type"] == _NO_MATCH:
        message = _TAGS_TAKE
    elif name == "delimiter":
        message = message.replace(r"'\t'", "'tab'")
    return {"where": name, "message": message[0].lower() + message[1:]}


def _added_later(options: Options) -> set[str]:
    """Returns the options that older gateways do not know and that were not given."""
    return {name for name in _ADDED_LATER if getattr(options, name) == OPTIONS[name].default}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
