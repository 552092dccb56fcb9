"""A job as the outside sees it (contract section 3): its types, of which /openapi.json is made, and how it is filled.

They are typed dictionaries (of `typing_extensions`, which pydantic asks for before Python 3.12): they cost nothing when
an answer is made, and mypy holds the answer to them.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import Field, GetPydanticSchema
from typing_extensions import TypedDict

from rowcast.jobs.job import InputInfo, Job, RowResult
from rowcast.jobs.options import Options
from rowcast.jobs.states import PublicStatus, Status
from rowcast.jobs.summary import AnySummary
from rowcast.problem import Problem, Recorded

Id = Annotated[str, Field(description="UUIDv7", pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Time = Annotated[str, Field(description="RFC 3339, UTC, with milliseconds and Z")]
Path = Annotated[str, Field(description="A path on this server")]


class PinnedModel(TypedDict):
    """The model version that a job is pinned to, whatever its aliases do later."""

    name: str
    version: str


class Progress(TypedDict):
    """Rows whose part is stored, the bad ones among them, and how fast it goes. No count goes back."""

    rows_total: int
    rows_done: int
    rows_failed: int
    fraction: float
    rows_per_second: float | None
    eta_seconds: float | None


class BatchResult(TypedDict):
    """How large a batch's result is, and what is in it. The list of jobs leaves the summary out (null)."""

    rows: int
    bytes: int
    summary: AnySummary | None


class NotFinite(TypedDict):
    """A warning: some predictions are infinite or not a number. They are not part of the summary's figures."""

    type: Literal["not-finite"]
    count: int
    message: str


class Links(TypedDict):
    """Where to go from here."""

    self: Path
    result: Path
    errors: Path
    events: Path
    cancel: Path


class PublicJob(TypedDict):
    """A request to predict, of one row (`single`) or many (`batch`)."""

    id: Id
    kind: Literal["single", "batch"]
    status: PublicStatus
    model: PinnedModel
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    expires_at: Time | None
    progress: Progress
    input: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(InputInfo))] | None
    options: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(Options))]
    result: RowResult | BatchResult | None
    error: Problem | None
    warnings: list[NotFinite]
    links: Links


def public(job: Job, now_ms: int, prefix: str, problem: Callable[[Recorded], Problem]) -> PublicJob:
    """The job as the contract shows it.

    `prefix` stands before each path. `problem` makes the whole document of a failed job's recorded error.
    """
    return {
        "id": job.id,
        "kind": job.spec.kind,
        "status": job.status,
        "model": {"name": job.spec.model.name, "version": job.spec.model.version},
        "created_at": _timestamp(job.created_ms),
        "started_at": _optional(job.started_ms),
        "finished_at": _optional(job.finished_ms),
        "expires_at": _optional(job.expires_ms),
        "progress": _progress(job, now_ms),
        "input": job.spec.input.model_dump(mode="json") if job.spec.input else None,
        "options": job.spec.options.model_dump(mode="json", exclude={"model"}),
        "result": _result(job),
        "error": problem(job.error) if job.error else None,
        "warnings": _warnings(job),
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
        "fraction": round(job.rows_done / job.rows_total, 6),
        "rows_per_second": round(speed, 1) if speed is not None else None,
        "eta_seconds": round(left / speed, 1) if speed and not job.status.is_terminal else None,
    }


def _result(job: Job) -> RowResult | BatchResult | None:
    if job.is_single:
        return job.result
    if job.status is not Status.SUCCEEDED:
        return None
    return {"rows": job.rows_total, "bytes": job.result_bytes, "summary": job.summary}


def _warnings(job: Job) -> list[NotFinite]:
    if job.result and "warning" in job.result:
        return [{"type": "not-finite", "count": 1, "message": job.result["warning"]}]
    count = cast(Mapping[str, Any], job.summary or {}).get("not_finite", 0)
    if not count:
        return []
    noun = "prediction is" if count == 1 else "predictions are"
    message = f"{count} {noun} infinite or not a number (inf, nan); the summary's figures leave them out"
    return [{"type": "not-finite", "count": count, "message": message}]


def _links(job: Job, prefix: str) -> Links:
    here = f"{prefix}/jobs/{job.id}"
    return {
        "self": here,
        "result": f"{here}/result",
        "errors": f"{here}/errors",
        "events": f"{here}/events",
        "cancel": f"{here}/cancel",
    }


def _timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _optional(ms: int | None) -> str | None:
    return None if ms is None else _timestamp(ms)
