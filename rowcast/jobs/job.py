"""A job as it is in Redis; `public_job.py` makes of it what a caller sees."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from rowcast.jobs.actuals.actuals_query import ActualsQuery
from rowcast.jobs.drift.batch_drift import BatchDrift
from rowcast.jobs.options import Options
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.shadow.shadow_counts import ShadowCounts
from rowcast.jobs.states import Status
from rowcast.jobs.summary import AnySummary
from rowcast.jobs.webhook.delivery import Delivery
from rowcast.models.model_manifest import Label
from rowcast.problem import Recorded
from rowcast.tracing.origin import Origin


class ModelRef(BaseModel):
    """The model version that a job is pinned to."""

    model_config = ConfigDict(frozen=True)

    #: Name of the model.
    name: str
    #: Its version, for example `3`; never an alias.
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


Format = Literal["csv", "parquet", "xlsx", "jsonl"]
"""A format of files. `jsonl` has requests, one a line; no call takes it but `/v1/files`."""


class InputInfo(BaseModel):
    """What is known of a batch's input from its upload."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    """Length of the file as it was sent, in bytes."""
    sha256: str | None
    """SHA-256 of the file as it was sent, in hexadecimal; null if the files were read by URL."""
    filename: str | None
    """Name of the file, if the request has one."""
    columns: tuple[str, ...]
    """Names of the columns, as pandas reads them."""
    delimiter: str = ","
    """What separates the fields."""
    encoding: str = "utf-8"
    """The encoding of the file as it was sent; the service stores it as UTF-8."""
    format: Format = "csv"
    """The format of the file as it was sent. A worker converts any other than `csv`; before, `columns` is empty."""
    url: str | None = None
    """URL of the files, if they are read where they lie. Until a worker has found them, `bytes` is 0."""
    files: int = 1
    """Number of the files."""


class ByUrl(BaseModel):
    """What a job's request says of places that workers read and write themselves."""

    model_config = ConfigDict(frozen=True)

    #: URL of the input: a file, or a pattern with `*`.
    input_url: str
    #: URL of the folder into which the result is written; None if it stays in the store only.
    output_url: str | None = None
    #: Whether the result of an earlier job is replaced there.
    overwrite: bool = False
    #: Names the plan that a worker has made; empty before. If the files are planned once more, it is another name.
    plan: str = ""


class Spec(BaseModel):
    """What is fixed when a job is made; a worker gets it with each lease."""

    model_config = ConfigDict(frozen=True)

    #: `single`: one row, with its values in the record. `batch`: a file.
    kind: Literal["single", "batch"]
    #: The model version that the job is pinned to; of two models the first.
    model: ModelRef
    #: The second model version, if two models predict in one pass.
    second_model: ModelRef | None = None
    #: The version that scores a batch as well, only to be compared (docs/shadow.md).
    shadow: ModelRef | None = None
    #: The options of the request; for a batch, with the delimiter that was found.
    options: Options
    #: Id of the HTTP request that made the job, for the logs.
    request_id: str = ""
    #: Where the job belongs in the trace of that request, as the header `traceparent` has it.
    traceparent: str = ""
    #: The path under which the request came (`X-Forwarded-Prefix`), for the links in the body of a webhook.
    url_prefix: str = ""
    #: The pool of workers that does the job, as the settings had it when the job was made; empty for the default pool.
    pool: str = ""
    #: What is known of a batch's file; None for a single job.
    input: InputInfo | None = None
    #: Whether the job only predicts the first rows of a file for a check. No list shows it, and it does not live long.
    is_check: bool = False
    #: The line end of the file. A last row without one gets it.
    line_end: str = "\n"
    #: Length of the result's header line in bytes. The line is a separate file, next to the parts.
    header_bytes: int = 0
    #: Of a converted file: columns whose numbers are narrower than 64 bits → pandas' type, which the table keeps. It
    #: is written `Int32` if the column has nulls: only a model of whole numbers then reads it so. Also columns that are
    #: `bool` or `datetime64` and written as neither of two models has them (`converted_cells.py`).
    dtypes: dict[str, str] = {}
    #: Of a job that only joins actuals with the results of other jobs: what is asked for. Its file is the actuals.
    actuals: ActualsQuery | None = None
    #: Of a job by URL: where its files and its result are; otherwise None.
    by_url: ByUrl | None = None
    #: Of a job that is made of a file of requests: which file, and what its lines have in common; otherwise None.
    requests: BatchRequest | None = None
    #: Options with which a newer version made the job, and which this one does not know → their values. Such a job is
    #: shown and can be ended, but no worker of this version scores it.
    unknown_options: dict[str, Any] = {}

    @classmethod
    def read(cls, document: bytes | str) -> "Spec":
        """Reads a spec that was stored, perhaps by another version: what a newer one asked for is kept for it."""
        try:
            spec = cls.model_validate_json(document)
        except ValidationError as error:
            places = [one["loc"] for one in error.errors() if len(one["loc"]) > 1]
            unknown = {str(name) for where, name, *_ in places if where == "options"}
            if not unknown:
                raise
            known = json.loads(document)
            aside = {name: known["options"].pop(name) for name in unknown}
            return cls.model_validate(known | {"unknown_options": aside})
        if not spec.unknown_options:
            return spec
        known = json.loads(document)
        known["options"] |= known.pop("unknown_options")
        return cls.read(json.dumps(known))

    @property
    def origin(self) -> Origin:
        """The HTTP request that made the job."""
        return Origin(self.request_id, self.traceparent)

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """The model versions that predict: one or two."""
        return (self.model,) if self.second_model is None else (self.model, self.second_model)

    @property
    def known_as(self) -> str:
        """The model versions as text: `NAME@VERSION`, or two of them with a comma."""
        return ",".join(map(str, self.models))

    @property
    def kept_columns(self) -> tuple[str, ...]:
        """The columns of the input that come back with the result."""
        if self.options.output == "joined" and self.input is not None:
            return self.input.columns
        return self.options.key


TopClass = TypedDict("TopClass", {"class": Label, "probability": float | None})
"""One of the most likely classes of a row, and its probability."""


class FeatureContribution(TypedDict):
    """How much a feature moved the raw score of a prediction."""

    feature: str
    value: float


class RowResult(TypedDict):
    """The prediction of one row (a list for several outputs), and what else the request asks for.

    That are probabilities, scores, the most likely classes as a list, the first one first, and the features that moved
    the prediction most, likewise. If two models predict, each member is an object with one entry for each model.

    `prediction` is null if it is infinite or not a number, which JSON cannot write; `warning` says which.
    """

    prediction: Label | list[Label] | dict[str, Label | list[Label] | None] | None
    warning: NotRequired[str]
    probabilities: NotRequired[dict[str, float] | dict[str, dict[str, float]]]
    scores: NotRequired[dict[str, float] | dict[str, dict[str, float]]]
    top: NotRequired[list[TopClass] | dict[str, list[TopClass]]]
    explanation_base: NotRequired[float]
    explanations: NotRequired[list[FeatureContribution]]


class ParquetFile(BaseModel):
    """The result as a Parquet file in the store."""

    model_config = ConfigDict(frozen=True)

    #: Its name in the folder `parquet` of the job.
    name: str
    #: Its length in bytes.
    length: int
    #: Its SHA-256, in hexadecimal.
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job at one moment. Times are milliseconds since 1970, UTC."""

    #: The job's id, a UUIDv7.
    id: str
    #: Name of the API key that made the job; empty if the gateway has no keys.
    owner: str
    #: The state of the job.
    status: Status
    #: What was asked for.
    spec: Spec
    #: Number of data rows.
    rows_total: int
    #: Rows that have a prediction or a reason.
    rows_done: int = 0
    #: Bad rows among them: those without a prediction.
    rows_failed: int = 0
    #: Number of chunks; 1 for a single job.
    chunks_total: int
    #: Chunks that are counted.
    chunks_done: int = 0
    #: Time of the first lease, or of the first since a retry; None before.
    started_ms: int | None = None
    #: Time of the end; None before.
    finished_ms: int | None = None
    #: Time at which upkeep removes the files; None before the end.
    expires_ms: int | None = None
    #: Whether a worker still converts the file, or will: more rows and chunks will come.
    is_converting: bool = False
    #: Ranges of the files of a job by URL; 0 before they are known, and if there is only one.
    ranges_total: int = 0
    #: Ranges that are scanned.
    ranges_done: int = 0
    #: Length of all parts in bytes, without the header line.
    part_bytes: int = 0
    #: Length of all files of bad rows in bytes, without their header line.
    error_bytes: int = 0
    #: The prediction of a single job that succeeded, otherwise None.
    result: RowResult | None = None
    #: The problem of a failed job, otherwise None.
    error: Recorded | None = None
    #: The summary of a batch's predictions so far; None if there are none.
    summary: AnySummary | None = None
    #: Whether the job waits because no worker of its pool is online. It is only known of a job in a pool.
    lacks_worker: bool = False
    #: How far the batch is from the sample of its model; None if it was not compared.
    drift: BatchDrift | None = None
    #: How the predictions of the shadow differ; None if the batch has no shadow.
    shadow: ShadowCounts | None = None
    #: Processor time of all parts, in seconds. What processes for isolated rows took is not in it.
    cpu_seconds: float = 0.0
    #: Leases of all chunks: as many as chunks, if none was tried twice.
    attempts: int = 0
    #: How often bad rows were corrected.
    repairs: int = 0
    #: Revision of each corrected chunk, by its number. Its files are named after it.
    revisions: Mapping[int, str] = field(default_factory=dict)
    #: Number of a chunk that lost its part after the job succeeded: it could not be made again. Otherwise None.
    lost_chunk: int | None = None
    #: How far the delivery to the job's webhook is; None without a webhook.
    delivery: Delivery | None = None
    #: The signed receipt of the present result, as JSON; None if it was never asked for.
    receipt: str | None = None
    #: The result as a Parquet file; None if it has not been written.
    parquet: ParquetFile | None = None
    #: Whether a worker has tried to write it, and could not.
    parquet_failed: bool = False

    @property
    def created_ms(self) -> int:
        """Time at which the job was made: the first 48 bits of its UUIDv7 (RFC 9562 section 5.7)."""
        return UUID(self.id).int >> 80

    @property
    def is_single(self) -> bool:
        """Whether the job has one row. Its result is then in the record."""
        return self.spec.kind == "single"

    @property
    def result_bytes(self) -> int:
        """Length of the whole result in bytes: header line and parts."""
        return self.spec.header_bytes + self.part_bytes
