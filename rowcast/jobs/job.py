"""A job as its record tells it; `public_job.py` has what the outside sees of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from rowcast.jobs.options import Options
from rowcast.jobs.states import Status
from rowcast.jobs.summary import AnySummary, render_fields
from rowcast.models.model_manifest import Label
from rowcast.problem import Recorded


class ModelRef(BaseModel):
    """The model version that a job is pinned to."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class InputInfo(BaseModel):
    """What is known of a batch's input from its upload."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str
    filename: str | None
    columns: tuple[str, ...]
    delimiter: str = ","
    """What separates the fields."""
    encoding: str = "utf-8"
    """The encoding of the file as it was sent; the service stores it as UTF-8."""


class Spec(BaseModel):
    """What is fixed when a job is made; a worker gets it with each lease."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["single", "batch"]
    model: ModelRef
    options: Options
    request_id: str = ""
    input: InputInfo | None = None
    line_end: str = "\n"
    head_bytes: int = 0
    """Length of the result's header line, which lies beside the parts."""


class RowResult(TypedDict):
    """The prediction of one row (a list for several outputs); probabilities and scores if they were asked for.

    `prediction` is null if it is infinite or not a number, which JSON cannot write; `warning` says which.
    """

    prediction: Label | list[Label] | None
    warning: NotRequired[str]
    probabilities: NotRequired[dict[str, float]]
    scores: NotRequired[dict[str, float]]


@dataclass(frozen=True)
class Job:
    """One job at one moment. Times are milliseconds since 1970, UTC; None is not yet."""

    id: str
    owner: str
    status: Status
    spec: Spec
    rows_total: int
    rows_done: int
    rows_failed: int
    chunks_total: int
    chunks_done: int
    started_ms: int | None
    finished_ms: int | None
    expires_ms: int | None
    part_bytes: int
    error_bytes: int
    result: RowResult | None
    error: Recorded | None
    summary: AnySummary | None
    lost_chunk: int | None
    """Of a job that has succeeded: its part is gone or damaged, and could not be made again."""

    @classmethod
    def from_record(
        cls, id: str, record: Mapping[bytes, bytes], summary: Mapping[bytes, bytes], retention_ms: int
    ) -> "Job":
        """Reads the record's fields and, of a batch, its summary's."""

        def number(name: bytes) -> int:
            return int(record.get(name, 0))

        def optional(name: bytes) -> int | None:
            return int(record[name]) if name in record else None

        def document(name: bytes) -> Any:
            return json.loads(record[name]) if name in record else None

        finished = optional(b"finished_ms")
        return cls(
            id=id,
            owner=record[b"owner"].decode(),
            status=Status(record[b"status"].decode()),
            spec=Spec.model_validate_json(record[b"spec"]),
            rows_total=number(b"rows"),
            rows_done=number(b"rows_done"),
            rows_failed=number(b"rows_failed"),
            chunks_total=number(b"chunks"),
            chunks_done=number(b"chunks_done"),
            started_ms=optional(b"started_ms"),
            finished_ms=finished,
            expires_ms=None if finished is None else finished + retention_ms,
            part_bytes=number(b"part_bytes"),
            error_bytes=number(b"error_bytes"),
            result=document(b"result"),
            error=document(b"error"),
            summary=render_fields(summary) if summary else None,
            lost_chunk=optional(b"lost_chunk"),
        )

    @property
    def created_ms(self) -> int:
        """The time is the first 48 bits of a UUIDv7 (RFC 9562 section 5.7)."""
        return UUID(self.id).int >> 80

    @property
    def is_single(self) -> bool:
        """Whether the job is one row, whose result is in the record."""
        return self.spec.kind == "single"

    @property
    def result_bytes(self) -> int:
        """The length of the whole result: header line and parts."""
        return self.spec.head_bytes + self.part_bytes
