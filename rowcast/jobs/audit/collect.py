"""The auditor: reads Redis and the store for the checks of the audit (`checks.py`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rowcast.jobs.audit.checks import Count, Finding, JobState, Totals
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.celery_queues import REFUSED
from rowcast.jobs.records.job_hash import read_job, status_in
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, named
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.wording.quantity import counted

_JOBS_AT_ONCE = 50
"""Jobs that are read in one round trip. The tables of a large job take some megabytes."""


@dataclass(frozen=True)
class Report:
    """The result of an audit."""

    table: dict[str, Count]
    """Accepted jobs and rows, then the same by status."""
    findings: tuple[Finding, ...]
    """What is inconsistent; empty if nothing is."""
    messages_refused: int
    """Number of messages in the queues that were not Rowcast's (`worker/consumer/message_filter.py`)."""


class Auditor:
    """Reads and compares. It changes nothing, and may run while the service does.

    Raises:
        Unavailable: from any method, if Redis or the store cannot be reached.
    """

    def __init__(self, redis: RedisClient, files: Files, settings: Settings) -> None:
        self._redis = redis
        self._files = files
        self._scripts = Scripts(redis, settings)
        self._retention_ms = int(settings.retention * 1000)

    def report(self) -> Report:
        """Audits everything. Each job that has files takes a listing in the store."""
        totals = self.totals()
        findings = [*totals.findings(), *self._jobs(), *self._orphans()]
        return Report(totals.table(), tuple(findings), totals.totals.get(REFUSED, 0))

    def totals(self) -> Totals:
        """Returns the counts at this moment."""
        with redis_errors():
            totals, live, by_status, by_owner, stale_entries = self._scripts.audit_totals()
        counted = [item.decode() for item in by_status]
        return Totals(
            totals=_numbers(totals),
            live=_numbers(live),
            records={
                Status(status): Count(int(jobs), int(rows))
                for status, jobs, rows in zip(counted[::3], counted[1::3], counted[2::3], strict=True)
            },
            owners=_numbers(by_owner),
            stale_entries=tuple(entry.decode() for entry in stale_entries),
        )

    def job_state(self, id: str) -> JobState | None:
        """Returns the state of one job; None if it has no record, or is deleted."""
        return next(self._states([id]), None)

    def _states(self, ids: Sequence[str]) -> Iterator[JobState]:
        """Returns the states of those jobs that have a record and are not deleted."""
        for start in range(0, len(ids), _JOBS_AT_ONCE):
            some = ids[start : start + _JOBS_AT_ONCE]
            for id, read in zip(some, self._scripts.audit_jobs(some), strict=True):
                fields = named(dict(zip(read.record[::2], read.record[1::2], strict=True)))
                if fields and not status_in(fields).is_internal:
                    yield JobState(
                        job=read_job(id, fields, {}, self._retention_ms),
                        plan=read.plan,
                        parts=read.parts,
                        in_flight=frozenset(int(chunk) for chunk in read.in_flight),
                        due=frozenset(int(chunk) for chunk in read.due),
                        is_waiting_or_leased=bool(read.is_waiting_or_leased),
                        expires=bool(read.expires),
                        is_delivery_due=bool(read.is_delivery_due),
                    )

    def _jobs(self) -> Iterator[Finding]:
        with redis_errors():
            ids = [id.decode() for id in self._redis.zrange(key("jobs"), 0, -1)]
        for state in self._states(ids):
            yield from state.findings()
            if state.job.is_single or state.job.status is Status.EXPIRED:
                continue
            missing = list(state.file_findings(self._files.sizes(state.job.id)))
            if missing and self._still_has_files(state.job.id):
                yield from missing

    def _orphans(self) -> Iterator[Finding]:
        """Returns files that no record needs, except those that upkeep will sweep and those of uploads."""
        for id in self._files.jobs():
            if not self._is_expected(id) and (files := len(self._files.sizes(id))):
                yield Finding(id, f"it has {counted(files, 'file')} in the store, but no record that needs them.")

    def _still_has_files(self, id: str) -> bool:
        """Returns whether the job still needs files: it may have been deleted or have expired meanwhile."""
        state = self.job_state(id)
        return state is not None and state.job.status is not Status.EXPIRED

    def _is_expected(self, id: str) -> bool:
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.zscore(key("removing"), id)
            pipe.hget(key("job", id), JobField.STATUS)
            removing, status = pipe.execute()
        return removing is not None or status not in (None, b"deleted", b"expired")


def _numbers(pairs: Sequence[bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
