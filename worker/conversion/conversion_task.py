"""The conversion task: makes chunks of a file that is not CSV, which are scored while it goes on."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Protocol, cast

from rowcast.csv import scan
from rowcast.csv.header import column_names
from rowcast.errors import (
    EmptyFile,
    InputLost,
    ModelRefused,
    NotFound,
    Refused,
    RowcastError,
    ScoringFailed,
    Unavailable,
)
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.receive_upload import UploadReceiver
from rowcast.jobs.check.file_sample import SAMPLE_BYTES, SAMPLE_ROWS
from rowcast.jobs.check.found_table import FoundTable
from rowcast.jobs.chunk_tables import PlanEntry, unpack_whole_plan
from rowcast.jobs.job import InputInfo, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.leases import ConversionLease
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_ERROR
from rowcast.jobs.request import Request
from rowcast.logs import logging_about
from rowcast.models.model_set import ModelSet
from worker.actuals.actuals_task import ActualsTask
from worker.conversion.features_by_name import FeaturesByName, features_by_name
from worker.conversion.lease_over import LeaseOver
from worker.conversion.request_rows import RequestRows
from worker.conversion.source_file import SourceFile
from worker.planning.plan_task import PlanTask
from worker.resources import Resources


class TableRows(Protocol):
    """A file that is not CSV, as rows of CSV."""

    @property
    def header(self) -> bytes:
        """The header line."""

    @property
    def dtypes(self) -> dict[str, str]:
        """`Spec.dtypes` of this file."""

    @property
    def row_count(self) -> int:
        """Number of rows; in a workbook, empty ones at the end are counted."""

    def check(self) -> None:
        """Checks the types of all columns, if the file has any."""

    def rows(self, most: int | None = None) -> Iterator[bytes]:
        """Yields the rows, or `most` of them, some at a time."""


class ConversionTask:
    """Converts leased files. `between` is called every now and then, so that single rows need not wait for the end."""

    def __init__(self, resources: Resources, between: Callable[[], None]) -> None:
        self._resources, self._between = resources, between

    def convert(self, lease: ConversionLease) -> None:
        """Converts a file; whatever happens, its lease has ended afterwards or ends by itself."""
        resources = self._resources
        log = resources.log
        about = lease.origin.fields(lease.id) | {"attempt": lease.attempt}
        with (
            logging_about(about),
            resources.span("convert file", lease) as span,
            resources.watchdog.holding([lease]),
        ):
            try:
                if lease.spec.actuals is not None:
                    ActualsTask(resources, self._step).run(lease, lease.spec.actuals, log)
                elif lease.spec.by_url is None:
                    self._convert(lease, log)
                else:
                    PlanTask(resources, self._step).run(lease, lease.spec.by_url, log)
            except LeaseOver:
                log.info("conversion_over")
            except Unavailable as error:
                span.fail(error.detail)
                resources.postpone([lease], error, log)
            except (Refused, ModelRefused, NotFound, InputLost) as error:
                span.fail(error.detail)
                self._fail_job(lease, error, log)
            except Exception as error:
                log.exception("conversion_raised")
                span.fail(f"{type(error).__name__}: {error}")
                problem = ScoringFailed(f"Converting the file raised {type(error).__name__}: {error}").recorded()
                resources.watchdog.release([lease], problem, strikes=STRIKES_OF_ERROR, delay_seconds=lease.attempt)

    def _convert(self, lease: ConversionLease, log: Any) -> None:
        started, started_cpu = time.perf_counter(), time.process_time()
        resources, source = self._resources, lease.spec.input
        if source is None:
            raise InputLost("The job has no file. Send it again.")
        models = ModelSet(tuple(resources.models.get(one.name, one.version).manifest for one in lease.spec.models))
        requests = lease.spec.requests
        pieces, id = (resources.files, lease.id) if requests is None else (resources.request_files, requests.file_id)
        file = SourceFile(pieces, id, source.bytes)
        try:
            new = _Conversion(resources, lease, source, models).run(file, self._step)
        except Exception as error:
            if file.error is not None and file.error is not error:  # a library has replaced it
                raise file.error from error
            raise
        if not lease.spec.is_check:
            self._keep_manifest(new)
        cpu_seconds = time.process_time() - started_cpu
        outcome = resources.leases.end_conversion(lease, new.chunks, new.spec, cpu_seconds)
        if outcome != "stale":
            resources.files.delete_source(lease.id)
        seconds = round(time.perf_counter() - started, 6)
        log.info(
            "file_converted", format=source.format, rows=new.rows, chunks=new.chunks, seconds=seconds, outcome=outcome
        )

    def _step(self) -> None:
        self._resources.watchdog.progress()
        self._between()

    def _keep_manifest(self, new: NewJob) -> None:
        """Writes the manifest again: if the job is made again from the store, it has its chunks, and no source.

        Raises:
            LeaseOver: the job was deleted.
        """
        files = self._resources.files
        document = files.get_manifest(new.id)
        known = job_manifest.read(new.id, document) if document is not None else None
        if known is None:
            raise LeaseOver
        whole = replace(known, spec=new.spec, rows=new.rows, chunks=new.chunks, plan=new.plan, is_converting=False)
        files.put_manifest(new.id, job_manifest.write(whole))

    def _fail_job(self, lease: ConversionLease, error: RowcastError, log: Any) -> None:
        log.warning("file_refused", reason=error.detail)
        self._resources.watchdog.release([lease], error.recorded(), strikes=STRIKES_ALLOWED)


class _Conversion:
    """One file that is converted. It takes the place of an upload in Redis, to which chunks are added."""

    def __init__(self, resources: Resources, lease: ConversionLease, source: InputInfo, models: ModelSet) -> None:
        self._resources, self._lease, self._source, self._models = resources, lease, source, models
        self._dtypes: dict[str, str] = {}
        self._added = 0
        """Number of chunks that have been added."""
        self._has_header = False

    def run(self, file: SourceFile, step: Callable[[], None]) -> NewJob:
        """Adds all chunks, and returns the job as it is then.

        Raises:
            Refused: something in the file is wrong. LeaseOver: the lease is over.
        """
        lease, settings = self._lease, self._resources.settings
        options = lease.spec.options.model_copy(update={"reuse": False})
        receiver = UploadReceiver(
            self,
            self._resources.files,
            settings,
            Request(self._models.first, options, second=self._models.second),
            lease.id,
            is_generated=True,
            on_progress=self._keep_header,
        )
        table = self._open(file)
        self._dtypes = table.dtypes
        new = receiver.take(self._blocks(table, step))
        plan = unpack_whole_plan(new.plan or b"")
        self._add(self._added, plan[self._added :], new)
        return replace(new, spec=self._spec(new))

    def _open(self, file: SourceFile) -> TableRows:
        requests, settings = self._lease.spec.requests, self._resources.settings
        if requests is not None:
            return RequestRows(file, self._models.first, requests, settings.max_row_bytes)
        return _open(self._source.format, file, features_by_name(self._models), settings.max_columns)

    def touch(self, id: str) -> None:
        """Does nothing: the watchdog renews the lease."""

    def add_chunks(self, id: str, chunk: int, planned: Sequence[PlanEntry], first: NewJob | None) -> bool:
        """Adds chunks, so that they are scored meanwhile. Raises LeaseOver if the lease is over."""
        if first is not None:
            self._first = first
        self._add(chunk, planned, self._first)
        return True

    def _add(self, chunk: int, planned: Sequence[PlanEntry], job: NewJob) -> None:
        if planned and not self._resources.leases.add_converted(self._lease, chunk, planned, self._spec(job)):
            raise LeaseOver
        self._added = chunk + len(planned)

    def _spec(self, job: NewJob) -> Spec:
        """Returns the spec of the job: as the request says, with what is known of the columns."""
        asked = self._lease.spec
        columns = job.spec.input.columns if job.spec.input else ()
        known = self._source.model_copy(update={"columns": columns})
        return asked.model_copy(update={"input": known, "dtypes": self._dtypes, "header_bytes": job.spec.header_bytes})

    def _blocks(self, table: TableRows, step: Callable[[], None]) -> Iterable[bytes]:
        """Yields the header line by itself, so that its columns are checked first, and then the rows."""
        if not table.header:
            raise EmptyFile.at("file", "has no columns")
        if self._lease.spec.is_check:
            self._keep_found(table)
        yield table.header
        table.check()
        is_check, read_bytes = self._lease.spec.is_check, 0
        for rows in table.rows(SAMPLE_ROWS if is_check else None):
            step()
            if rows:  # an empty block would end a chunk
                yield rows
            read_bytes += len(rows)
            if is_check and read_bytes >= SAMPLE_BYTES:
                break

    def _keep_found(self, table: TableRows) -> None:
        """Stores what a check says of the file even if its columns do not fit."""
        header = table.header.removesuffix(b"\n")
        found = FoundTable(columns=tuple(column_names(scan.fields(header, ","))), rows=table.row_count)
        self._resources.files.put_found(self._lease.id, found.model_dump_json().encode())

    def _keep_header(self, line: bytes, chunks: int, paused: bool) -> None:
        """Stores the header line of the result before the first chunk is added, for callers that follow the job."""
        if not self._has_header:
            self._resources.files.put_header(self._lease.id, line)
            self._has_header = True


def _open(format: str, file: SourceFile, features: FeaturesByName, max_columns: int) -> TableRows:
    """Opens a file. The libraries are imported only if there is one: they take memory."""
    if format == "xlsx":
        from worker.conversion.excel_rows import ExcelRows

        return ExcelRows(cast(BinaryIO, file), features, max_columns)
    from worker.conversion.parquet_rows import ParquetRows

    return ParquetRows(cast(BinaryIO, file), features, max_columns)
