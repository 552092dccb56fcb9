"""The origin of a job: the HTTP request that made it, whose ids are in every log line about the job."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self


def trace_id_of(traceparent: str) -> str:
    """Returns the trace id in a header that `TraceContext` has written; empty if it is empty."""
    return traceparent[3:35]


class Origin(NamedTuple):
    """The request that made a job. Both fields are empty if it is not known."""

    #: Id of the HTTP request.
    request_id: str = ""
    #: Where the job belongs in its trace (`TraceContext`).
    traceparent: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Returns the origin that `str(origin)` has written."""
        request_id, _, traceparent = text.partition(" ")
        return cls(request_id, traceparent)

    def __str__(self) -> str:
        return f"{self.request_id} {self.traceparent}"

    @property
    def trace_id(self) -> str:
        """Id of the trace; empty if it is not known."""
        return trace_id_of(self.traceparent)

    def fields(self, job: str) -> dict[str, str]:
        """Returns the fields of a log line about the job with this id."""
        known = {"job": job, "request_id": self.request_id, "trace_id": self.trace_id}
        return {name: value for name, value in known.items() if value}


def fields_of_each(jobs: Sequence[tuple[str, Origin]]) -> dict[str, Any]:
    """Returns the fields of a log line about jobs, given the id and origin of each: lists if there are several."""
    if len(jobs) == 1:
        return dict(jobs[0][1].fields(jobs[0][0]))
    lists = {
        "jobs": [id for id, _ in jobs],
        "request_ids": [origin.request_id for _, origin in jobs],
        "trace_ids": [origin.trace_id for _, origin in jobs],
    }
    return {name: list(dict.fromkeys(filter(None, values))) for name, values in lists.items()}
