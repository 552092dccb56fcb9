"""A job in the client: its record when it was last read, and the calls for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rowcast.client.calls.job_calls import JobCalls
from rowcast.client.calls.job_record import JobRecord, RowError
from rowcast.client.download import Sink, Target
from rowcast.client.download_format import ResultFormat
from rowcast.client.http.transport import Transport
from rowcast.client.upload import OnBytes, Source

if TYPE_CHECKING:
    import pandas as pd


class Job(JobRecord):
    """One request to predict. `raw` is the job's record as last read; `refresh` and `wait` read it again."""

    def __init__(self, transport: Transport, raw: dict[str, Any]) -> None:
        super().__init__(raw)
        self._run, self._calls = transport.run, JobCalls(transport, self)

    def refresh(self) -> "Job":
        """Reads the record again and returns this job."""
        self._run(self._calls.refresh())
        return self

    def wait(self, timeout: float | None = None, on_progress: "Callable[[Job], None] | None" = None) -> "Job":
        """Waits until the job has succeeded and returns this job.

        Args:
            timeout: seconds to wait; None waits without limit.
            on_progress: called with the job about once a second, and at the end.

        Raises:
            JobFailed: the job failed.
            JobCancelled: the job was cancelled.
            Gone: the job's files have expired.
            StillRunning: the job has not ended within the timeout.
        """
        self._run(self._calls.wait(timeout, on_progress))
        return self

    def download(
        self,
        target: Target,
        on_progress: OnBytes | None = None,
        *,
        format: ResultFormat | None = None,
        partial: bool = False,
    ) -> None:
        """Writes the result to a path, `-` or a binary file. Resumes after a broken connection.

        The file at a path is complete or does not appear. `-` is standard output.

        Args:
            target: where to write.
            on_progress: called with the bytes received and the bytes in all.
            format: `csv`, `ndjson` or `parquet`. None is the format of the path's ending (`.parquet`, `.ndjson`,
                `.jsonl`), and CSV for any other ending and for streams.
            partial: the job may have failed or been cancelled: its result ends before the first chunk that is not done.
                Not as Parquet.

        Raises:
            WrongUse: there is no such format, or the job is of one row and has no file.
            Conflict: the job has not ended yet.
            JobFailed, JobCancelled, Gone: the job has no result.
        """
        self._run(self._calls.download(target, on_progress, format=format, partial=partial))

    def download_to(
        self,
        sink: Sink,
        on_progress: OnBytes | None = None,
        *,
        format: ResultFormat = "csv",
        partial: bool = False,
    ) -> None:
        """Writes the result as `download` does, into an open sink."""
        self._run(self._calls.download_to(sink, on_progress, format=format, partial=partial))

    def follow_to(self, sink: Sink) -> "Job":
        """Writes the result while it is made, waits until the job has succeeded, and returns this job.

        Raises:
            JobFailed, JobCancelled, Gone: the job has no result; the sink may hold the beginning of one.
        """
        self._run(self._calls.follow_to(sink))
        return self

    def errors(self) -> list[RowError]:
        """Returns the rows that could not be predicted, in order. Reads the whole list into memory."""
        return self._run(self._calls.errors())

    def download_errors(self, target: Target, *, as_input: bool = False) -> None:
        """Writes the rows that could not be predicted as CSV with the header `row,column,value,message`.

        With `as_input`, writes the rows themselves: their numbers in `_row`, what is wrong in `_error`, and then the
        columns of the input. Correct them in that file, and pass it to `repair`.
        """
        self._run(self._calls.download_errors(target, as_input=as_input))

    def repair(self, corrections: Source | Sequence[Mapping[str, Any]], *, encoding: str | None = None) -> "Job":
        """Sends bad rows back, corrected. Their predictions take their places in the result. Returns this job.

        The job is `queued` again until they are scored: see `wait`. The same repair twice changes nothing.

        Args:
            corrections: the CSV that `download_errors(..., as_input=True)` writes, corrected, or some of its rows: a
                path, bytes or a binary file. Or a list of mappings, each with `_row` and the columns that change, for
                example `[{"_row": 7, "age": 31}]`.
            encoding: of a CSV; None is UTF-8, or UTF-16 with its mark.

        Raises:
            Conflict: the rows of the job are not all done.
            Unprocessable: a row is not a bad row of the job, or a column is not one of its input.
        """
        self._run(self._calls.repair(corrections, encoding))
        return self

    def receipt(self) -> dict[str, Any]:
        """Returns the signed receipt of a batch that has succeeded, which `rowcast verify` checks.

        Raises:
            Conflict: the job has not succeeded, or is a single job.
            Gone: the job's files expired before its receipt was asked for.
        """
        return self._run(self._calls.receipt())

    def log(self) -> dict[str, Any]:
        """Returns what happened to the job, as `GET /jobs/ID/log` has it: `log` has the newest 200 entries.

        `request_id` and `trace_id` are those of the request that made the job, and of log lines about it.
        """
        return self._run(self._calls.log())

    def cancel(self) -> "Job":
        """Cancels the job.

        Raises:
            Conflict: the job has already ended.
        """
        self._run(self._calls.cancel())
        return self

    def retry(self) -> "Job":
        """Resumes a failed or cancelled job with the chunks that are not done.

        Raises:
            Conflict: the job cannot be resumed.
        """
        self._run(self._calls.retry())
        return self

    def delete(self) -> None:
        """Deletes the job and its files. A running job is cancelled first."""
        self._run(self._calls.delete())

    def to_pandas(self, **read_csv: Any) -> "pd.DataFrame":
        """Returns the result as a table. That of a single row has one row.

        Args:
            read_csv: arguments for `pandas.read_csv`, for example `dtype=str` to keep the text of every cell.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return self._run(self._calls.to_pandas(read_csv))
