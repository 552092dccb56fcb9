"""A job that is about to be made, and what makes two requests the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rowcast.jobs.job import Job, Spec
from rowcast.jobs.states import Status
from rowcast.jobs.webhook.delivery import Delivery


@dataclass(frozen=True)
class Repeat:
    """What makes two requests the same."""

    #: Digest of the owner and the Idempotency-Key, in hexadecimal.
    digest: str
    #: Digest of everything that was asked for, in hexadecimal. It differs if the key is used for another request.
    fingerprint: str


@dataclass(frozen=True)
class NewJob:
    """A job that is about to be made."""

    #: The job's id, a UUIDv7.
    id: str
    #: Name of the API key that made the request; empty if the gateway has no keys.
    owner: str
    #: What was asked for.
    spec: Spec
    #: Number of data rows.
    rows: int
    #: Number of chunks; 1 for a single job.
    chunks: int
    #: The packed plan of a batch (`chunk_tables.pack_plan`); None for a single job.
    plan: bytes | None = None
    #: Values of a single job's row, in the order of the model's features; None for a batch.
    values: list[Any] | None = None
    #: What makes the same request again find this job; None without an Idempotency-Key.
    repeat: Repeat | None = None
    #: Digest of owner, model version, file and options of a batch, which finds a job that has scored the same; None if
    #: no job is to find this one.
    sameness: str | None = None
    #: Whether such an earlier job is to be used instead of this one.
    reuses: bool = False
    #: The job fails if more rows than this are bad; None if any number may be.
    max_errors: int | None = None
    #: Whether a worker has to convert the file first: then there are neither rows nor a plan yet.
    is_converting: bool = False
    #: How often bad rows were corrected, of a job that is made again.
    repairs: int = 0
    #: Revision of each corrected chunk, by its number.
    revisions: Mapping[int, str] = field(default_factory=dict)

    def queued(self) -> Job:
        """Returns the job as it is right after it was made."""
        return Job(
            id=self.id,
            owner=self.owner,
            status=Status.QUEUED,
            spec=self.spec,
            rows_total=self.rows,
            chunks_total=self.chunks,
            delivery=Delivery() if self.spec.options.webhook is not None else None,
            is_converting=self.is_converting,
        )
