"""Which jobs a list or a bulk action takes: by status, model, tag and time."""

from dataclasses import dataclass

from rowcast.jobs.job import Job
from rowcast.jobs.states import Status


@dataclass(frozen=True)
class JobFilter:
    """Takes the jobs for which every part that is not None is true."""

    #: The status of the job.
    status: Status | None = None
    #: The model: `NAME`, or `NAME@VERSION`.
    model: str | None = None
    #: A tag as `name:value`, or only its name.
    tag: str | None = None
    #: The job was made at this time or later; milliseconds since 1970, UTC.
    since_ms: int | None = None
    #: The job was made before this time.
    until_ms: int | None = None
    #: Only jobs that are made of a file of requests.
    of_requests: bool = False

    def may_match(self, status: Status, model: str) -> bool:
        """Returns whether a job with this status and model may match. It is quick, as it needs no whole job.

        `model` is `NAME@VERSION`, or two of them with a comma; either one may match.
        """
        if self.status is not None and status is not self.status:
            return False
        return self.model is None or any(self.model in (one, one.rpartition("@")[0]) for one in model.split(","))

    def matches(self, job: Job) -> bool:
        """Returns whether a job matches."""
        if not self.may_match(job.status, job.spec.known_as):
            return False
        if self.since_ms is not None and job.created_ms < self.since_ms:
            return False
        if self.until_ms is not None and job.created_ms >= self.until_ms:
            return False
        if self.of_requests and job.spec.requests is None:
            return False
        return self.tag is None or self._has_tag(job)

    def newest_id(self) -> str | None:
        """Returns an id that is newer than all jobs that match, or None. Ids begin with the time (RFC 9562)."""
        return None if self.until_ms is None else _id_prefix(self.until_ms)

    def oldest_id(self) -> str | None:
        """Returns an id that is older than all jobs that match, or None."""
        return None if self.since_ms is None else _id_prefix(self.since_ms)

    def _has_tag(self, job: Job) -> bool:
        name, colon, value = (self.tag or "").partition(":")
        tags = job.spec.options.tags
        return name in tags and (not colon or tags[name] == value)


EVERY_JOB = JobFilter()
"""Takes all jobs."""


def _id_prefix(ms: int) -> str:
    digits = f"{max(0, min(ms, 2**48 - 1)):012x}"
    return f"{digits[:8]}-{digits[8:]}"
