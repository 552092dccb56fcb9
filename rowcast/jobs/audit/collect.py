"""The auditor: reads the books in Redis and the shelves in the store for the audit (`checks.py`)."""

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


@dataclass(frozen=True)
class Report:
    """What was taken in and what came of it, and what of that does not add up."""

    table: dict[str, Count]
    findings: tuple[Finding, ...]
    messages_refused: int
    """Messages on the queue that nobody of ours had put there."""


class Auditor:
    """Reads and compares; changes nothing, and may run beside the service.

    Raises:
        Unavailable: from any call, where Redis or the store is away.
    """

    def __init__(self, redis: RedisClient, files: Files, settings: Settings) -> None:
        self._redis = redis
        self._files = files
        self._scripts = Scripts(redis, settings)
        self._retention_ms = int(settings.retention * 1000)

    def report(self) -> Report:
        """Audits everything. It takes a round trip and a listing in the store for each job that has files."""
        totals = self.totals()
        findings = [*totals.findings(), *self._jobs(), *self._orphans()]
        return Report(totals.table(), tuple(findings), totals.totals.get(REFUSED, 0))

    def totals(self) -> Totals:
        """The counts of this moment."""
        with redis_errors():
            totals, live, by_status, by_owner, strays = self._scripts.audit_totals()
        counted = [item.decode() for item in by_status]
        return Totals(
            totals=_numbers(totals),
            live=_numbers(live),
            records={
                Status(status): Count(int(jobs), int(rows))
                for status, jobs, rows in zip(counted[::3], counted[1::3], counted[2::3], strict=True)
            },
            owners=_numbers(by_owner),
            strays=tuple(stray.decode() for stray in strays),
        )

    def books(self, id: str) -> JobState | None:
        """The books of one job; None where it has no record, or a tombstone."""
        with redis_errors():
            record, plan, parts, flying, watched, taken, expires = self._scripts.audit_job(id)
        fields = named(dict(zip(record[::2], record[1::2], strict=True)))
        if not fields or status_in(fields).is_internal:
            return None
        return JobState(
            job=read_job(id, fields, {}, self._retention_ms),
            plan=plan,
            parts=parts,
            open=frozenset(int(chunk) for chunk in flying),
            watched=frozenset(int(chunk) for chunk in watched),
            is_taken=bool(taken),
            expires=bool(expires),
        )

    def _jobs(self) -> Iterator[Finding]:
        with redis_errors():
            ids = [id.decode() for id in self._redis.zrange(key("jobs"), 0, -1)]
        for id in ids:
            books = self.books(id)
            if books is None:
                continue
            yield from books.findings()
            if books.job.is_single or books.job.status is Status.EXPIRED:
                continue
            missing = list(books.file_findings(self._files.sizes(id)))
            if missing and self._still_has_files(id):
                yield from missing

    def _orphans(self) -> Iterator[Finding]:
        """Files of nobody. Those that upkeep is going to sweep, of an upload under way too, are somebody's."""
        for id in self._files.jobs():
            if not self._is_expected(id) and (files := len(self._files.sizes(id))):
                yield Finding(id, f"it has {files} files in the store, and no record that needs them.")

    def _still_has_files(self, id: str) -> bool:
        """It may have been deleted, or have expired, between two looks."""
        books = self.books(id)
        return books is not None and books.job.status is not Status.EXPIRED

    def _is_expected(self, id: str) -> bool:
        with redis_errors(), self._redis.pipeline() as pipe:
            pipe.zscore(key("removing"), id)
            pipe.hget(key("job", id), JobField.STATUS)
            swept, status = pipe.execute()
        return swept is not None or status not in (None, b"deleted", b"expired")


def _numbers(pairs: Sequence[bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
