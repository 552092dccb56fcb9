"""The front door to jobs: submit, read, list, cancel, retry, withdraw and delete them.

A job has a record in Redis, a manifest in the store and other files in the store. Upkeep makes a lost record again from
the manifest. So whatever removes a job removes the manifest first, then the record, then the files: an interruption
leaves files that upkeep sweeps, but never a job that comes back.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rowcast.errors import JobDeleted, JobExpired, QueueFull, Refused, Restoring, Unavailable, UnknownJob
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.apply_repair import Repair, require_rows
from rowcast.jobs.actions.receive_source import SourceReceiver
from rowcast.jobs.actions.receive_upload import OnProgress, UploadReceiver
from rowcast.jobs.actions.submit import Submitted, is_job_id, new_id
from rowcast.jobs.actuals.actuals_query import ActualsQuery
from rowcast.jobs.job import ByUrl, Format, InputInfo, Job
from rowcast.jobs.job_files import Files
from rowcast.jobs.job_filter import EVERY_JOB, JobFilter
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.repair.corrections import Correction, CorrectionReader
from rowcast.jobs.request import Request
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.request_files.request_file import RequestFile
from rowcast.jobs.states import Status
from rowcast.settings import Settings


class Jobs:
    """All jobs, as their owners may use them.

    `owner` is the name of an API key. Jobs of other owners are unknown. None means every owner.

    Raises:
        Unavailable: from any method, if Redis or the store cannot be reached.
    """

    def __init__(self, records: Records, uploads: Uploads, files: Files, settings: Settings) -> None:
        self._records, self._uploads, self._files, self._settings = records, uploads, files, settings

    def get(self, id: str, owner: str | None = None) -> Job:
        """Returns a job.

        Raises:
            UnknownJob: the id is not valid, no job ever had it, or the job belongs to another owner.
            JobDeleted: the job was deleted.
            Restoring: Redis lost the record, and upkeep will make it again from the store.
        """
        if not is_job_id(id):
            raise UnknownJob(f"Job not found: {id[:64]!r} is not a valid job id.")
        try:
            return self._records.get(id, owner)
        except UnknownJob:
            document = self._files.get_manifest(id)
            job = job_manifest.read(id, document) if document is not None else None
            if job is None or owner not in (None, job.owner):
                raise
            raise Restoring(f"The record of job {id} was lost and is being restored from the store.") from None

    def page(
        self, limit: int, before: str | None = None, taken: JobFilter = EVERY_JOB, owner: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Returns at most `limit` jobs that `taken` takes and that are older than the id `before`, newest first.

        The second value is the id to pass as `before` for the next page, or None on the last page. A page may have
        fewer jobs than `limit`, or none, and still not be the last.
        """
        return self._records.page(limit=limit, before=before, taken=taken, owner=owner)

    def submit_row(self, request: Request, values: list[Any], id: str | None = None) -> Submitted:
        """Makes a job of one row. `values` have been checked and are in the order of the model's features.

        If two models predict, `values` has a list for each.

        Raises:
            KeyReused: the Idempotency-Key was used with a different request.
            QueueFull: there are as many unfinished jobs as the settings allow.
        """
        new = NewJob(
            id=id or new_id(),
            owner=request.owner,
            spec=request.spec("single"),
            rows=1,
            chunks=1,
            values=values,
            repeat=request.repeat(json.dumps(values)) if request.idempotency_key is not None else None,
        )
        return self._make(new)

    def submit_file(
        self,
        request: Request,
        blocks: Iterable[bytes],
        id: str | None = None,
        *,
        is_generated: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Submitted:
        """Makes a job of a CSV file in blocks of any size. Its rows are stored and counted as they arrive.

        `is_generated` and `on_progress` are those of `UploadReceiver`. If this raises, nothing is left behind.

        Raises:
            Refused: something in the file is wrong. The others are those of `submit_row`.
        """
        id = id or new_id()

        def take() -> NewJob:
            receiver = UploadReceiver(
                self._uploads,
                self._files,
                self._settings,
                request,
                id,
                is_generated=is_generated,
                on_progress=on_progress,
            )
            return receiver.take(blocks)

        return self._submit_batch(request, id, take)

    def submit_source(self, request: Request, blocks: Iterable[bytes], format: Format, id: str) -> Submitted:
        """Makes the job `id` of a file in blocks of any size, which a worker converts: Parquet or Excel.

        Raises:
            OptionUnsuitable: an option says how a CSV file is written. The others are those of `submit_file`.
        """

        def take() -> NewJob:
            return SourceReceiver(self._uploads, self._files, request, id, format).take(blocks)

        return self._submit_batch(request, id, take)

    def submit_actuals(self, request: Request, blocks: Iterable[bytes], asked: ActualsQuery, id: str) -> Submitted:
        """Makes the job `id`, in which a worker joins a CSV of actuals with the results of other jobs.

        Raises:
            Those of `submit_file`.
        """

        def take() -> NewJob:
            new = SourceReceiver(self._uploads, self._files, request, id, "csv").take(blocks)
            content = f"{new.spec.input.sha256 if new.spec.input else ''} {asked.model_dump_json()}"
            spec = new.spec.model_copy(update={"actuals": asked, "shadow": None})
            return replace(new, spec=spec, repeat=request.repeat(content), sameness=None)

        return self._submit_batch(request, id, take)

    def submit_by_url(self, request: Request, by_url: ByUrl, id: str) -> Submitted:
        """Makes the job `id` of files that lie elsewhere. Workers find, read and check them.

        Raises:
            Those of `submit_row`.
        """
        input = InputInfo(bytes=0, sha256=None, filename=None, columns=(), url=by_url.input_url)
        new = NewJob(
            id=id,
            owner=request.owner,
            spec=request.spec("batch", input=input, id=id).model_copy(update={"by_url": by_url}),
            rows=0,
            chunks=0,
            plan=b"",
            repeat=request.repeat(by_url.model_dump_json()),
            max_errors=request.options.max_errors,
            is_converting=True,
        )
        return self._submit_batch(request, id, lambda: new)

    def submit_requests(self, request: Request, file: RequestFile, asked: BatchRequest, id: str) -> Submitted:
        """Makes the job `id` of a file of requests, which a worker reads, checks and converts.

        Raises:
            Those of `submit_row`.
        """
        options = request.options
        input = InputInfo(bytes=file.bytes, sha256=file.sha256, filename=file.filename, columns=(), format="jsonl")
        new = NewJob(
            id=id,
            owner=request.owner,
            spec=request.spec("batch", options, input, id=id).model_copy(update={"requests": asked}),
            rows=0,
            chunks=0,
            plan=b"",
            repeat=request.repeat(asked.model_dump_json()),
            max_errors=options.max_errors,
            is_converting=True,
        )
        return self._submit_batch(request, id, lambda: new)

    def _submit_batch(self, request: Request, id: str, take: Callable[[], NewJob]) -> Submitted:
        """Makes a job of what `take` receives and stores. If this raises, nothing is left behind."""
        self._uploads.announce(id, request.owner)
        try:
            new = take()
            self._uploads.touch(id)
            if not request.is_check:  # a check is not made again from the store
                self._files.put_manifest(id, job_manifest.write(new))
        except BaseException:  # also if the caller hangs up, or the greenlet is killed
            self.withdraw(id)
            raise
        try:
            submitted = self._make(new)
        except (Refused, QueueFull):
            self.withdraw(id)
            raise
        # After any other error the job may or may not exist: its files stay, and upkeep sweeps them if it does not.
        if submitted.id != id:
            self.withdraw(id)
        return submitted

    def withdraw(self, id: str) -> None:
        """Removes what was stored of an upload that did not become a job.

        If Redis cannot be reached, upkeep removes the announcement of the upload later.
        """
        self._files.delete_manifest(id)  # first: without it nothing makes the job again
        with suppress(Unavailable):
            self._uploads.withdraw(id)
        self._files.delete(id)

    def cancel(self, id: str, owner: str | None = None) -> Job:
        """Cancels a job that has not ended, and returns it.

        Raises:
            JobEnded: the job has ended. The others are those of `get`.
        """
        self.get(id, owner)
        self._records.cancel(id)
        return self.get(id, owner)

    def retry(self, id: str, owner: str | None = None) -> Job:
        """Resumes a failed or cancelled batch with the chunks that are not done, and returns the job.

        Raises:
            JobExpired: the job's files were removed.
            NotRetryable: a retry would change nothing, or the job has not failed.
            QueueFull: as `submit_row`. The others are those of `get`.
        """
        if self.get(id, owner).status is Status.EXPIRED:
            raise JobExpired(f"Job {id} cannot be retried: its files have expired. Send the rows again.")
        self._records.retry(id)
        return self.get(id, owner)

    def repair(
        self, id: str, read: Callable[[CorrectionReader], Mapping[int, Correction]], owner: str | None = None
    ) -> Job:
        """Has bad rows of a batch scored again after their correction, and returns the job.

        `read` gets the reader of the job's corrections and returns what each row becomes, by its number. If it changes
        nothing, for example because the same repair was made before, the job stays as it is.

        Raises:
            Those of `actions/apply_repair.py` (`require_rows`, `Repair.apply`), of `read`, and of `get`.
        """
        job = self.get(id, owner)
        require_rows(job)
        columns, format = (job.spec.input.columns, job.spec.input.format) if job.spec.input else ((), "csv")
        delimiter, is_converted = job.spec.options.delimiter, format != "csv"
        reader = CorrectionReader(
            columns, delimiter, job.rows_total, self._settings, job_id=id, is_converted=is_converted
        )
        Repair(self._records, self._files, job).apply(read(reader))
        return self.get(id, owner)

    def delete(self, id: str, owner: str | None = None) -> int:
        """Deletes a job and its files, and returns the number of files. A running job is cancelled.

        Raises:
            Those of `get`.
        """
        self.get(id, owner)
        self._files.delete_manifest(id)  # first: without it nothing makes the job again
        self._records.delete(id)
        return self._files.delete(id)

    def discard(self, id: str) -> None:
        """Removes a job that no caller made, whatever its state, as far as Redis and the store can be reached."""
        for remove in (self._files.delete_manifest, self._records.delete, self._files.delete):
            with suppress(Unavailable, UnknownJob, JobDeleted):
                remove(id)

    def _make(self, new: NewJob) -> Submitted:
        id, outcome = self._records.make(new)
        return Submitted(id, outcome != "made", new, outcome == "reused")
