"""The client: a connection to one service, and the calls to it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from rowcast.client.calls.lookup import JobPages, find_record
from rowcast.client.calls.service_calls import warn_of_failed_rows
from rowcast.client.check import Check
from rowcast.client.csv_options import CsvOptions, FrameOptions
from rowcast.client.download import Target
from rowcast.client.download_format import ResultFormat
from rowcast.client.frames.frames import Frame
from rowcast.client.http.endpoint import TIMEOUT_SECONDS, address_and_key
from rowcast.client.http.retries import Patience
from rowcast.client.http.transport import Transport
from rowcast.client.job import Job
from rowcast.client.job_filter import BulkOutcome, JobFilter
from rowcast.client.operations import Operations
from rowcast.client.row import Prediction
from rowcast.client.upload import OnBytes, Source


class Client(Operations):
    """A connection to one Rowcast service. Threads may share it.

    Requests that are safe to repeat are sent again after errors that may pass.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        max_retries: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Makes a client; the first call connects.

        Args:
            url: the service's address; by default that in the environment's ROWCAST_URL, or http://127.0.0.1:5000.
            api_key: the API key; by default that in ROWCAST_API_KEY.
            timeout: how many seconds the service may be silent before an attempt is given up. What a call waits for is
                added, and an upload is given at least 300 seconds after its last byte. To connect, at most 5 seconds.
            max_retries: how often a request is repeated at most after errors that may pass; 0 is never, None is only
                limited by `patience`. Bytes of a download that arrive start the count again.
            patience: for how long a call is retried: 60 seconds, or 3 if the service has never answered.

        Raises:
            WrongUse: `url` is not a valid URL, or a limit is not a valid number.
        """
        address = address_and_key(url, api_key)
        super().__init__(Transport(*address, timeout_seconds=timeout, max_retries=max_retries, patience=patience))

    @property
    def url(self) -> str:
        """The service's address."""
        return self._transport.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def predict(
        self,
        features: Sequence[Any] | Mapping[str, Any],
        *,
        model: str | None = None,
        probabilities: bool = False,
        scores: bool = False,
        threshold: float | str | None = None,
        top: int | None = None,
        explain: int | None = None,
        wait: float | None = 60,
    ) -> Prediction:
        """Predicts one row.

        Args:
            features: the row: a sequence in the model's order, or a mapping or pandas Series by feature name. A Series,
                for example a row of a DataFrame, may have more values than the model needs; a mapping may not.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`, or two with a comma; None is the service's default model.
            probabilities: whether to return the probability of each class.
            scores: whether to return what the model's `decision_function` returns.
            threshold: of two classes, the second one is predicted from this probability on; `auto` is the model's own
                threshold. None leaves it to the model's `predict`.
            top: how many of the most likely classes to return.
            explain: how many of the features to return that moved the prediction most.
            wait: seconds to wait in all; None waits without limit.

        Raises:
            StillRunning: the job has not ended in that time; `job` is it.
        """
        outputs = {
            "probabilities": probabilities,
            "scores": scores,
            "threshold": threshold,
            "top": top,
            "explain": explain,
        }
        return self._run(self._calls.predict(features, model, outputs, wait))

    def submit_csv(
        self,
        source: Source,
        *,
        on_progress: OnBytes | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CsvOptions],
    ) -> Job:
        """Uploads a CSV file as a stream and returns the job that scores it.

        Args:
            source: a path (`*.gz`, `*.parquet` and `*.xlsx` too), `-` for standard input, bytes, or a binary file.
                From 64 MiB on, an upload that breaks off goes on where it stopped.
            on_progress: called with the bytes sent and the bytes in all (None for a pipe).
            idempotency_key: your name for this upload. A second call with it, even from another process, returns the
                same job.
            options: how the file is scored.

        Raises:
            Unprocessable: the file does not fit the model; `errors` lists what is missing. The service checks the
                header line before the rest of the file is sent.
        """
        return self._run(self._calls.submit_csv(source, on_progress, idempotency_key, options))

    def submit_url(
        self,
        input_url: str,
        output_url: str | None = None,
        *,
        overwrite: bool = False,
        idempotency_key: str | None = None,
        **options: Unpack[CsvOptions],
    ) -> Job:
        """Returns the job that scores files which lie in a folder or a bucket that the service may read.

        Args:
            input_url: a file, or several by a pattern: `s3://data/in/*.csv`, `file:///data/in/a.csv`.
            output_url: a folder or a prefix into which the service writes the result in parts and a `manifest.json`.
            overwrite: whether the result of an earlier job is replaced there.
            idempotency_key: as in `submit_csv`.
            options: how the files are scored.

        Raises:
            Unprocessable: a URL is not allowed. What is wrong with the files themselves fails the job.
        """
        return self._run(self._calls.submit_url(input_url, output_url, overwrite, idempotency_key, options))

    def check(self, source: Source, **options: Unpack[CsvOptions]) -> Check:
        """Checks a file without making a job: the service reads its first MiB and predicts its first rows.

        A Parquet file or a workbook is sent as a whole, up to 64 MiB.

        Args:
            source: as in `submit_csv`. Of standard input or another pipe, the first MiB (or all of it) is used up.
            options: how the file would be scored.

        Raises:
            WrongUse: a Parquet file or a workbook is larger.
            Unprocessable: an option is wrong. A file that does not fit raises nothing: the check says what is wrong.
        """
        return self._run(self._calls.check(source, options))

    def check_url(self, input_url: str, **options: Unpack[CsvOptions]) -> Check:
        """Checks files that lie in a folder or a bucket that the service may read: the first MiB of the first of them.

        Args:
            input_url: as in `submit_url`.
            options: how the files would be scored.

        Raises:
            Unprocessable: the URL is not allowed, or an option is wrong. The rest is as in `check`.
        """
        return self._run(self._calls.check_url(input_url, options))

    def predict_csv(
        self, source: Source, target: Target, *, format: ResultFormat | None = None, **options: Unpack[CsvOptions]
    ) -> Job:
        """Uploads a CSV file, waits, and writes the result to `target`, in the format that `Job.download` chooses.

        A file at a path is complete or does not appear; a CSV is downloaded while later rows are scored. What is
        written to a stream cannot be withdrawn, so a stream gets the result after the job has succeeded.

        Raises:
            JobFailed: the job failed; nothing is written.
        """
        return self._run(self._calls.predict_csv(source, target, format, options))

    def predict_frame(
        self,
        frame: Frame,
        *,
        model: str | None = None,
        on_progress: OnBytes | None = None,
        **options: Unpack[FrameOptions],
    ) -> Frame:
        """Predicts each row of a DataFrame of pandas or polars. Returns one of the same kind, with predictions added.

        The frame is sent as a CSV file: only the columns that the model needs, with exact values. The index of a pandas
        frame is kept.
        A row that could not be predicted has missing values in the added columns, and a warning counts such rows.

        Args:
            frame: the rows. A pandas frame has distinct texts as column names, and any kind of index.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`, or two with a comma; None is the service's default model.
            on_progress: called with the bytes sent and the bytes in all.
            options: how the rows are scored, for example `probabilities=True`.

        Raises:
            WrongUse: the frame cannot be sent; the message says why and what to do.
            JobFailed: the job failed, for example because no row could be predicted.
        """
        done, job = self._run(self._calls.predict_frame(frame, model, options, on_progress))
        warn_of_failed_rows(job, len(frame))
        return done

    def job(self, id: str) -> Job:
        """Returns the job with this id, or the only job with an id that begins with it.

        Raises:
            NotFound: there is no such job.
            Gone: the job was deleted.
            WrongUse: `id` is not the beginning of a job id, or several job ids begin with it.
        """
        return Job(self._transport, self._run(find_record(self._transport, id)))

    def jobs(
        self,
        status: str | None = None,
        limit: int | None = None,
        *,
        model: str | None = None,
        tag: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
    ) -> Iterator[Job]:
        """Yields the jobs that match, newest first, at most `limit`. Further pages are requested as needed.

        Args:
            status: the status, for example `failed`.
            limit: how many jobs at most.
            model: `NAME` or `NAME@VERSION`.
            tag: `name:value`, or `name` with any value.
            since: only jobs that were made then or later: a time, or its text (RFC 3339).
            until: only jobs that were made before then.
        """
        matching = {"status": status, "model": model, "tag": tag, "since": since, "until": until}
        pages = JobPages(self._transport, matching, limit)
        self._run(pages.load())
        return self._each(pages)

    def _each(self, pages: JobPages) -> Iterator[Job]:
        while True:
            yield from (Job(self._transport, raw) for raw in pages.records)
            if not pages.has_next:
                return
            self._run(pages.load())

    def act(
        self, action: Literal["cancel", "retry", "delete"], *, dry_run: bool = False, **matching: Unpack[JobFilter]
    ) -> BulkOutcome:
        """Cancels, retries or deletes every job that matches; without a filter, every job.

        Args:
            action: what to do.
            dry_run: whether to count the jobs and do nothing.
            matching: which jobs.

        Returns:
            How many jobs matched, and to how many it was done. The service acts for 20 seconds; if `is_complete` is
            false then, call this again.
        """
        return self._run(self._calls.act(action, matching, dry_run=dry_run))
