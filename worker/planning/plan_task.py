"""Plans a job by URL: divides its files into ranges, and makes chunks of what the scans of the ranges have found."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rowcast.csv.ranges.row_cuts import RowCuts
from rowcast.errors import EmptyFile, InputLost, TooLarge
from rowcast.jobs import job_manifest
from rowcast.jobs.by_url.file_url import input_url
from rowcast.jobs.by_url.plan_files import BEGINNING, PlanHead, RangeWork, Stretch, SurveyedStretch, read_surveys
from rowcast.jobs.by_url.url_files import KnownFile
from rowcast.jobs.check.file_sample import SAMPLE_BYTES
from rowcast.jobs.check.found_table import FoundFiles
from rowcast.jobs.chunk_tables import CONVERSION, FIRST_RANGE
from rowcast.jobs.job import ByUrl, Spec
from rowcast.jobs.records.leases import ConversionLease
from rowcast.models.model_set import ModelSet
from worker.conversion.lease_over import LeaseOver
from worker.planning.output_task import end_output, open_output
from worker.planning.plan_head import begin_plan
from worker.planning.planned_chunks import PlannedChunks
from worker.planning.surveyed_stretch import StretchScanner
from worker.resources import Resources


class PlanTask:
    """Plans jobs. `step` is called every now and then."""

    def __init__(self, resources: Resources, step: Callable[[], None]) -> None:
        self._resources, self._step = resources, step

    def run(self, lease: ConversionLease, by_url: ByUrl, log: Any) -> None:
        """Plans a job.

        Raises:
            LeaseOver: the lease is over. Unprocessable, TooLarge: something in the files is wrong.
            InputChanged: a file has changed since the plan began.
        """
        if lease.spec.is_check:
            self._look(lease, by_url)
            return
        job = self._resources.records.get(lease.id)
        if not job.is_converting:
            end_output(self._resources, lease, job, by_url, log)
            return
        started, started_cpu = time.perf_counter(), time.process_time()
        head = self._head(lease, by_url)
        if lease.chunk != CONVERSION:
            self._survey(lease.id, head, lease.chunk - FIRST_RANGE)
            if not self._resources.plans.end_range(lease, time.process_time() - started_cpu):
                raise LeaseOver
            return
        if head.ranges == 1:
            self._survey(lease.id, head, 0)
        elif not job.ranges_total or job.ranges_done < job.ranges_total:
            if not self._resources.plans.split(lease, head.ranges):
                raise LeaseOver
            return
        chunks = _Merge(self._resources, lease, head, self._step).run()
        self._end(lease, head.spec, chunks, time.process_time() - started_cpu)
        seconds = round(time.perf_counter() - started, 6)
        log.info("job_planned", files=head.spec.input and head.spec.input.files, chunks=chunks.count, seconds=seconds)

    def _look(self, lease: ConversionLease, by_url: ByUrl) -> None:
        """Stores the beginning of the first file, and which files there are, for a check. Its job has no rows."""
        resources, id = self._resources, lease.id
        files = resources.url_files.find(input_url(by_url.input_url, resources.settings.input_prefixes))
        first, length = files[0], sum(file.size for file in files)
        found = FoundFiles(first=first.url, first_bytes=first.size, files=len(files), bytes=length)
        data = resources.url_files.read(first, 0, min(first.size, SAMPLE_BYTES))
        resources.files.put_planning(id, BEGINNING, data)
        resources.files.put_found(id, found.model_dump_json().encode())
        if resources.leases.end_conversion(lease, 0, lease.spec, 0) == "stale":
            raise LeaseOver

    def _head(self, lease: ConversionLease, by_url: ByUrl) -> PlanHead:
        """Returns how the job is planned. A plan that another process has begun goes on."""
        resources, id = self._resources, lease.id
        document = resources.files.get_planning(id, "head")
        if document is not None:
            return PlanHead.model_validate_json(document)
        models = ModelSet(tuple(resources.models.get(one.name, one.version).manifest for one in lease.spec.models))
        if by_url.output_url is not None:
            open_output(resources, by_url).begin(overwrite=by_url.overwrite)
        begun = begin_plan(resources.url_files, lease.spec, by_url, models, resources.settings)
        for number, work in enumerate(begun.ranges):
            resources.files.put_planning(id, range_name(number), work.model_dump_json().encode())
        resources.files.put_header(id, begun.header)
        resources.files.put_planning(id, "head", begun.head.model_dump_json().encode())
        return begun.head

    def _survey(self, id: str, head: PlanHead, number: int) -> None:
        files = self._resources.files
        if files.get_planning(id, survey_name(number)) is not None:
            return
        scanner = StretchScanner(self._resources, id, head, self._step)
        found = [scanner.survey(stretch) for stretch in read_range(self._resources, id, number).stretches]
        files.put_planning(id, survey_name(number), b"".join(one.to_bytes() for one in found))

    def _end(self, lease: ConversionLease, spec: Spec, chunks: PlannedChunks, cpu_seconds: float) -> None:
        """Notes that the job is planned. If it is made again from the store, its manifest has the plan."""
        files, id = self._resources.files, lease.id
        document = files.get_manifest(id)
        known = job_manifest.read(id, document) if document is not None else None
        if known is None:
            raise LeaseOver
        plan = self._resources.records.plan(id)
        whole = replace(known, spec=spec, rows=chunks.rows, chunks=chunks.count, plan=plan, is_converting=False)
        files.put_manifest(id, job_manifest.write(whole))
        if self._resources.leases.end_conversion(lease, chunks.count, spec, cpu_seconds) == "stale":
            raise LeaseOver
        files.delete_planning(id)


class _Merge:
    """Goes through the surveys in the order of the files, and cuts chunks."""

    def __init__(self, resources: Resources, lease: ConversionLease, head: PlanHead, step: Callable[[], None]) -> None:
        self._resources, self._lease, self._head, self._step = resources, lease, head, step
        self._chunks = PlannedChunks(resources, lease, head)
        self._begin_file()

    def run(self) -> PlannedChunks:
        """Adds all chunks to the job, so that the first are scored meanwhile."""
        files, id = self._resources.files, self._lease.id
        for number in range(self._head.ranges):
            self._step()
            surveys = files.get_planning(id, survey_name(number))
            if surveys is None:
                raise InputLost("A part of the plan is missing from the store. Send the request again.")
            stretches = read_range(self._resources, id, number).stretches
            for stretch, found in zip(stretches, read_surveys(surveys), strict=True):
                self._take(stretch, found)
            self._chunks.flush()
        if not self._chunks.rows:
            raise EmptyFile.at("input_url", "the files have no rows")
        self._chunks.flush()
        return self._chunks

    def _begin_file(self) -> None:
        self._cuts = RowCuts(self._head.chunk_bytes, self._head.chunk_rows)
        self._is_inside, self._open_from = False, 0

    def _take(self, stretch: Stretch, found: SurveyedStretch) -> None:
        if not stretch.start:
            self._begin_file()
        survey = found.inside if self._is_inside else found.outside
        if survey is None:
            scanner = StretchScanner(self._resources, self._lease.id, self._head, self._step)
            scanner.raise_fault(found, stretch.file, self._cuts.rows, is_inside=self._is_inside)
            raise InputLost(f"{stretch.file.url} was scanned twice with different results.")
        if self._is_inside:
            self._require_length(stretch.file, found.begin + survey.head_bytes - self._open_from)
        if survey.is_open and survey.last_start >= 0:
            self._open_from = survey.last_start
        self._is_inside = survey.is_open
        for span in self._cuts.add(survey):
            self._chunks.add(stretch.file, span)
        if stretch.is_last:
            for span in self._cuts.end(found.end):
                self._chunks.add(stretch.file, span)

    def _require_length(self, file: KnownFile, row_bytes: int) -> None:
        if row_bytes > self._head.max_row_bytes:
            what = f"{file.url}: Row {self._cuts.rows} (bytes; is a quote not closed?)"
            raise TooLarge(what, self._head.max_row_bytes, "ROWCAST_MAX_ROW_BYTES")


def range_name(number: int) -> str:
    """Returns the name under which a range is stored."""
    return f"range-{number:07d}"


def survey_name(number: int) -> str:
    """Returns the name under which what was found in a range is stored."""
    return f"survey-{number:07d}"


def read_range(resources: Resources, id: str, number: int) -> RangeWork:
    """Reads a range of a job's plan.

    Raises:
        InputLost: the store has lost it.
    """
    document = resources.files.get_planning(id, range_name(number))
    if document is None:
        raise InputLost("A part of the plan is missing from the store. Send the request again.")
    return RangeWork.model_validate_json(document)
