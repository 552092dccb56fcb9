"""A job as callers see it (contract section 3): its types, which /openapi.json is made from, and how they are filled.

The types are typed dictionaries, which cost nothing when a response is made, and mypy checks the response against them.
They come from `typing_extensions`, because pydantic requires that before Python 3.12.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, GetPydanticSchema
from typing_extensions import TypedDict

from rowcast.jobs.drift.batch_drift import PublicDrift, public_drift
from rowcast.jobs.job import InputInfo, Job, RowResult
from rowcast.jobs.options import Options
from rowcast.jobs.results.job_warnings import JobWarning, warnings_of
from rowcast.jobs.shadow.shadow_counts import PublicShadow, public_shadow
from rowcast.jobs.states import PublicStatus, Status
from rowcast.jobs.summary import AnySummary
from rowcast.jobs.webhook.delivery import DeliveryState
from rowcast.jobs.webhook.shown_url import shown_url
from rowcast.problem import Problem, Recorded

Id = Annotated[str, Field(description="UUIDv7", pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[str, Field(description="RFC 3339, UTC, with milliseconds and Z")]
Path = Annotated[str, Field(description="A path on this server")]


class PinnedModel(TypedDict):
    """The model version that a job is pinned to, whatever its aliases do later."""

    #: Name of the model.
    name: str
    #: Its version, for example `3`.
    version: str


class Progress(TypedDict):
    """How many rows are done, and how fast it goes. No count falls, except when bad rows are corrected."""

    #: Number of data rows; of a Parquet file or a workbook, those that are converted so far.
    rows_total: int
    #: Rows that have a prediction or a reason.
    rows_done: int
    #: Bad rows among them.
    rows_failed: int
    #: `rows_done` by `rows_total`, from 0 to 1; 0 until a Parquet file or a workbook is converted.
    fraction: float
    #: Rows that were done per second since the start; null before the first.
    rows_per_second: float | None
    #: Estimated time until the end, in seconds; null if it is not known, and after the end.
    eta_seconds: float | None


class Cost(TypedDict):
    """What a batch has cost so far."""

    #: Processor time of the worker processes, in seconds.
    cpu_seconds: float
    #: Chunks that are done.
    chunks: int
    #: How often chunks were tried: more than `chunks` if a process died or a chunk is being scored.
    attempts: int


class BatchResult(TypedDict):
    """How large a batch's result is, and what is in it."""

    #: Number of data rows.
    rows: int
    #: Length of the result in bytes, with its header line.
    bytes: int
    #: The summary of the predictions. In the list of jobs it is null.
    summary: AnySummary | None


class Links(TypedDict):
    """The paths of calls about the job."""

    #: The job itself.
    self: Path
    #: The result: CSV of a batch, JSON of a single job.
    result: Path
    #: The bad rows of a batch, as CSV.
    errors: Path
    #: The progress, as server-sent events.
    events: Path
    #: Cancels the job (POST).
    cancel: Path
    #: Takes corrected rows of a batch (POST).
    repair: Path
    #: What happened to it.
    log: Path
    #: The state of each chunk of a batch.
    chunks: Path
    #: The signed receipt of a batch that has succeeded.
    receipt: Path


class PublicAttempt(TypedDict):
    """One attempt to deliver to a webhook."""

    #: When it began.
    at: Time
    #: HTTP status of the answer; null without one.
    status: int | None
    #: What went wrong; null if the status says it.
    error: str | None


class PublicWebhook(TypedDict):
    """How far the delivery of the job's end to its webhook is."""

    #: The URL, without user name, password and query.
    url: str
    #: `waiting` until the job ends, `pending` until the receiver accepts it, `delivered`, or `failed`.
    state: DeliveryState
    #: Attempts to deliver the last end.
    attempts: int
    #: The last attempt that has ended; null before.
    last_attempt: PublicAttempt | None
    #: When the next attempt is due; null if there is none.
    next_attempt_at: Time | None


class PublicJob(TypedDict):
    """A request to predict, of one row (`single`) or many (`batch`)."""

    #: The job's id.
    id: Id
    #: `single`: one row, sent as JSON. `batch`: a file.
    kind: Literal["single", "batch"]
    #: The state of the job.
    status: PublicStatus
    #: The model version that predicts; of two models the first.
    model: PinnedModel
    #: All model versions that predict: one or two, in the order of the request.
    models: list[PinnedModel]
    #: The pool of workers that does the job; null if it is the default pool.
    pool: str | None
    #: The tags of the request, by name.
    tags: dict[str, str]
    #: When the request began.
    created_at: Time
    #: When a worker began; null before.
    started_at: Time | None
    #: When the job ended; null before.
    finished_at: Time | None
    #: When the files are removed; null before the end.
    expires_at: Time | None
    #: How many rows are done.
    progress: Progress
    #: What is known of a batch's file; null for a single job.
    input: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(InputInfo))] | None
    #: The options of the request, without the model, the tags and the webhook.
    options: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(Options))]
    #: What a batch has cost; null for a single job.
    cost: Cost | None
    #: The prediction of a single job, or the size of a batch's result; null before the job succeeded.
    result: RowResult | BatchResult | None
    #: Why the job failed, otherwise null.
    error: Problem | None
    #: How often bad rows were corrected (`POST /jobs/ID/repair`).
    repairs: int
    #: How far the delivery to the webhook is; null if the request has none.
    webhook: PublicWebhook | None
    #: What to know about the result, or why the job waits.
    warnings: list[JobWarning]
    #: How far a batch is from the sample of its model. Null before the end, of batches under 200 rows, and if the model
    #: has no profile. In the list of jobs it is null.
    drift: PublicDrift | None
    #: How the predictions of the alias's shadow differ; null if none scores the batch. In the list of jobs it is null.
    shadow: PublicShadow | None
    #: The paths of calls about the job.
    links: Links


def public(job: Job, now_ms: int, prefix: str, problem: Callable[[Recorded], Problem]) -> PublicJob:
    """Returns the job as the contract describes it.

    `prefix` comes before each path. `problem` makes the whole document of a failed job's recorded error.
    """
    pinned: list[PinnedModel] = [{"name": one.name, "version": one.version} for one in job.spec.models]
    return {
        "id": job.id,
        "kind": job.spec.kind,
        "status": job.status,
        "model": pinned[0],
        "models": pinned,
        "pool": job.spec.pool or None,
        "tags": job.spec.options.tags,
        "created_at": timestamp(job.created_ms),
        "started_at": _optional(job.started_ms),
        "finished_at": _optional(job.finished_ms),
        "expires_at": _optional(job.expires_ms),
        "progress": _progress(job, now_ms),
        "input": job.spec.input.model_dump(mode="json") if job.spec.input else None,
        "options": job.spec.options.model_dump(mode="json", exclude={"model", "tags", "webhook"}),
        "cost": _cost(job),
        "result": _result(job),
        "error": problem(job.error) if job.error else None,
        "repairs": job.repairs,
        "webhook": _webhook(job),
        "warnings": warnings_of(job),
        "drift": public_drift(job.drift),
        "shadow": None if job.shadow is None else public_shadow(str(job.spec.shadow), job.shadow),
        "links": _links(job, prefix),
    }


def _progress(job: Job, now_ms: int) -> Progress:
    elapsed = ((job.finished_ms or now_ms) - job.started_ms) / 1000 if job.started_ms else 0.0
    speed = job.rows_done / elapsed if elapsed > 0 else None
    left = job.rows_total - job.rows_done
    return {
        "rows_total": job.rows_total,
        "rows_done": job.rows_done,
        "rows_failed": job.rows_failed,
        # The number of rows is not known before the file is converted.
        "fraction": 0.0 if job.is_converting or not job.rows_total else round(job.rows_done / job.rows_total, 6),
        "rows_per_second": round(speed, 1) if speed is not None else None,
        "eta_seconds": round(left / speed, 1)
        if speed and not job.status.is_terminal and not job.is_converting
        else None,
    }


def _cost(job: Job) -> Cost | None:
    if job.is_single:
        return None
    return {"cpu_seconds": round(job.cpu_seconds, 3), "chunks": job.chunks_done, "attempts": job.attempts}


def _result(job: Job) -> RowResult | BatchResult | None:
    if job.is_single:
        return job.result
    if job.status is not Status.SUCCEEDED:
        return None
    return {"rows": job.rows_total, "bytes": job.result_bytes, "summary": job.summary}


def _webhook(job: Job) -> PublicWebhook | None:
    delivery, url = job.delivery, job.spec.options.webhook
    if delivery is None or url is None:
        return None
    last = delivery.last
    return {
        "url": shown_url(url),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "last_attempt": {"at": timestamp(last["at_ms"]), "status": last["status"], "error": last["error"]}
        if last
        else None,
        "next_attempt_at": _optional(delivery.next_ms),
    }


def _links(job: Job, prefix: str) -> Links:
    here = f"{prefix}/jobs/{job.id}"
    return {
        "self": here,
        "result": f"{here}/result",
        "errors": f"{here}/errors",
        "events": f"{here}/events",
        "cancel": f"{here}/cancel",
        "repair": f"{here}/repair",
        "log": f"{here}/log",
        "chunks": f"{here}/chunks",
        "receipt": f"{here}/receipt",
    }


def timestamp(ms: int) -> str:
    """Returns the time as RFC 3339 in UTC with milliseconds, for example `2026-01-31T09:30:00.125Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _optional(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)
