"""The actuals task: joins a file of actuals with the results of past jobs, and keeps the metrics of each day."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, cast

from rowcast.csv.write import csv_cell
from rowcast.errors import InputLost, ModelRefused, NotFound, Unprocessable
from rowcast.jobs.actuals.actuals_query import ActualsQuery
from rowcast.jobs.actuals.actuals_records import ActualsRecords
from rowcast.jobs.actuals.actuals_report import ActualsReport, DayMetrics
from rowcast.jobs.job import Job
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.records.leases import ConversionLease
from rowcast.jobs.states import Status
from rowcast.models.model_manifest import Manifest
from worker.actuals.actuals_file import ActualsFile
from worker.actuals.joined_predictions import JoinedPredictions, Layout
from worker.actuals.known_truths import KnownTruths
from worker.conversion.lease_over import LeaseOver
from worker.resources import Resources

_JOBS_AT_A_TIME = 200

_Outcome = Literal["joined", "in part", "passed over"]


class ActualsTask:
    """Joins one file. `step` is called often, so that single rows can be predicted meanwhile."""

    def __init__(self, resources: Resources, step: Callable[[], None]) -> None:
        self._resources, self._step = resources, step

    def run(self, lease: ConversionLease, asked: ActualsQuery, log: Any) -> None:
        """Joins the file, and ends its job, whose result is a CSV of the metrics.

        Raises:
            Unprocessable, TooLarge: something in the file is wrong. InputLost: it is not in the store any more.
            LeaseOver: the lease is over.
        """
        started, started_cpu = time.perf_counter(), time.process_time()
        resources, source = self._resources, lease.spec.input
        if source is None:
            raise InputLost("The job has no file. Send it again.")
        key = asked.key or self._key(asked)
        most = resources.settings.max_row_bytes
        file = ActualsFile(resources.files, lease.id, source.bytes, asked.delimiter, most)
        try:
            known = KnownTruths.read(cast(BinaryIO, file), key, asked, self._step)
        except Exception as error:
            if file.error is not None and file.error is not error:
                raise file.error from error
            raise
        report = self._report(asked, key, known)
        table = _table(report["days"])
        resources.files.put_actuals(lease.id, json.dumps(report).encode())
        resources.files.put_header(lease.id, table)
        if asked.owner is None:  # otherwise it says nothing about the jobs of other keys
            ActualsRecords(resources.redis, resources.files.storage).keep(asked.model, report["days"])
        resources.files.delete_manifest(lease.id)  # if Redis is emptied, nothing is joined again
        spec = lease.spec.model_copy(update={"header_bytes": len(table)})
        if resources.leases.end_conversion(lease, 0, spec, time.process_time() - started_cpu) == "stale":
            raise LeaseOver
        resources.files.delete_source(lease.id)
        counts = {name: report[name] for name in ("rows", "matched", "jobs")}
        log.info("actuals_joined", seconds=round(time.perf_counter() - started, 6), **counts)

    def _report(self, asked: ActualsQuery, key: tuple[str, ...], known: KnownTruths) -> ActualsReport:
        joined, outcomes = JoinedPredictions(known), Counter[_Outcome]()
        for job in self._jobs(asked):
            outcomes[self._join(job, key, joined)] += 1
        try:
            days = joined.days()
        except ValueError as error:
            raise Unprocessable.at("file", f"has a value in {asked.truth!r} that is not a number: {error}") from None
        return {
            "model": asked.model,
            "key": list(key),
            "truth": asked.truth,
            "rows": known.rows,
            "matched": joined.matched,
            "unmatched": len(known.keys) - joined.matched,
            "without_truth": known.without_truth,
            "repeated_keys": known.repeated,
            "older_predictions": joined.older_predictions,
            "jobs": outcomes["joined"] + outcomes["in part"],
            "jobs_in_part": outcomes["in part"],
            "jobs_without_key": outcomes["passed over"],
            "days": days,
        }

    def _join(self, job: Job, key: tuple[str, ...], joined: JoinedPredictions) -> _Outcome:
        """Adds the predictions of a job.

        `in part`: its last parts are joined, and those before are gone, because it has just expired or was deleted.
        `passed over`: the result lacks the key or the predictions, or nothing of it is left.
        """
        resources = self._resources
        try:
            manifest = self._manifest(job)
            layout = Layout(job, manifest, key)
        except (ValueError, NotFound, ModelRefused):
            return "passed over"
        joined.begin(job, manifest)
        outcome: _Outcome = "passed over"
        for chunk in reversed(range(job.chunks_total)):
            self._step()
            try:
                part = resources.files.get_whole_part(job.id, chunk, job.revisions.get(chunk, ""))
            except FileNotFoundError:
                return outcome
            if part:
                joined.add(part, layout)
            outcome = "in part"
        return "joined"

    def _manifest(self, job: Job) -> Manifest:
        manifest = self._resources.models.manifest(job.spec.model.name, job.spec.model.version)
        if manifest.outputs is not None or manifest.task not in ("classification", "regression"):
            raise ValueError(f"{manifest.reference} has no truth of this kind")
        return manifest

    def _key(self, asked: ActualsQuery) -> tuple[str, ...]:
        """Returns the option `key` of the newest job that has it."""
        for job in self._jobs(asked):
            if job.spec.options.key:
                return job.spec.options.key
        raise Unprocessable.at("key", "is not given, and no job of this model that is kept has the option `key`")

    def _jobs(self, asked: ActualsQuery) -> Iterator[Job]:
        """Yields the jobs whose results are joined, newest first."""
        taken = JobFilter(Status.SUCCEEDED, asked.model, since_ms=asked.since_ms, until_ms=asked.until_ms)
        before: str | None = None
        while True:
            jobs, before = self._resources.records.page(
                limit=_JOBS_AT_A_TIME, before=before, taken=taken, owner=asked.owner
            )
            for job in jobs:
                self._step()
                if not job.is_single and job.spec.second_model is None and job.spec.actuals is None:
                    yield job
            if before is None:
                return


def _table(days: list[DayMetrics]) -> bytes:
    """Returns the metrics as a CSV with a row for each day and version."""
    names = list(dict.fromkeys(name for one in days for name in one["metrics"]))
    lines = [[csv_cell(name) for name in ("day", "version", "rows", *names)]]
    for one in days:
        values = [one["metrics"].get(name) for name in names]
        cells = [one["day"], one["version"], str(one["rows"]), *("" if one is None else repr(one) for one in values)]
        lines.append([csv_cell(cell) for cell in cells])
    return b"".join(b",".join(line) + b"\n" for line in lines)
