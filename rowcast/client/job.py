"""A job in the client: its record when it was last read, the calls for it, and the errors that carry it."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any

from rowcast.client.download import Sink, Target, Transfer, download, open_sink
from rowcast.client.errors import ClientError, Conflict, Gone
from rowcast.client.transport import Transport, json_object
from rowcast.client.upload import OnBytes, Source, Upload

if TYPE_CHECKING:
    import pandas as pd

_HOLD_SECONDS = 30
"""How long the service may hold one answer. Under a minute, so that no proxy closes the silent connection."""
_HOLD_WATCHED_SECONDS = 1
"""The same if the caller watches the progress."""

_LIVE = ("queued", "running")


@dataclass(frozen=True)
class RowError:
    """A row that could not be predicted.

    `column` and `value` are empty if the fault concerns the whole row, for example if it has too few fields.
    """

    #: Number of the row; data rows count from 1.
    row: int
    #: Name of the column at fault.
    column: str
    #: Text of the cell, at most 200 characters.
    value: str
    #: What is wrong, for example `not a number`.
    message: str


class Job:
    """One request to predict. `raw` is the job's record as last read; `refresh` and `wait` read it again."""

    def __init__(self, transport: Transport, raw: dict[str, Any]) -> None:
        self._transport = transport
        self.raw = raw

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, `cancelled` or `expired`."""
        return str(self.raw["status"])

    @property
    def progress(self) -> dict[str, Any]:
        """Its numbers: `rows_total`, `rows_done`, `rows_failed`, `fraction`, `rows_per_second`, `eta_seconds`."""
        return dict(self.raw.get("progress") or {})

    @property
    def has_ended(self) -> bool:
        """Whether the job has succeeded, failed, expired or been cancelled."""
        return self.status not in _LIVE

    def refresh(self) -> "Job":
        """Reads the record again and returns this job."""
        self.raw = json_object(self._transport.call("GET", f"/jobs/{self.id}"))
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
        until = None if timeout is None else monotonic() + timeout
        while not self.has_ended:
            left = float("inf") if until is None else until - monotonic()
            if left <= 0:
                raise StillRunning(self, f"Job {self.id} is still {self.status} after {timeout:g} s.")
            hold = min(_HOLD_WATCHED_SECONDS if on_progress else _HOLD_SECONDS, left)
            answer = self._transport.call("GET", f"/jobs/{self.id}", params={"wait": f"{hold:.3g}"}, wait_seconds=hold)
            self.raw = json_object(answer)
            if on_progress:
                on_progress(self)
        self.check()
        return self

    def check(self) -> None:
        """Raises the error of a job that ended without a result, as `wait` does; reads only the last record."""
        problem = self.raw.get("error") or {}
        if self.status == "failed":
            detail = problem.get("detail") or problem.get("title") or "no reason was given"
            raise JobFailed(self, f"Job {self.id} failed: {detail}", problem)
        if self.status == "cancelled":
            raise JobCancelled(self, f"Job {self.id} was cancelled.", problem)
        if self.status == "expired":
            raise Gone(f"The files of job {self.id} have expired.", {"status": 410})

    def download(self, target: Target, on_progress: OnBytes | None = None, *, partial: bool = False) -> None:
        """Writes the result to a path, `-` or a binary file. Resumes after a broken connection.

        The file at a path is complete or does not appear. `-` is standard output. With `partial`, a job may have failed
        or been cancelled: its result ends before the first chunk that is not done.

        Raises:
            Conflict: the job has not ended yet.
            JobFailed, JobCancelled, Gone: the job has no result.
        """
        with open_sink(target) as sink:
            self.download_to(sink, on_progress, partial=partial)

    def download_to(self, sink: Sink, on_progress: OnBytes | None = None, *, partial: bool = False) -> None:
        """Writes the result as `download` does, into an open sink."""
        try:
            query = "?partial=true" if partial else ""
            download(self._transport, f"/jobs/{self.id}/result{query}", sink, on_progress)
        except Conflict:
            self.refresh().check()
            raise

    def follow_to(self, sink: Sink) -> "Job":
        """Writes the result while it is made, waits until the job has succeeded, and returns this job.

        Raises:
            JobFailed, JobCancelled, Gone: the job has no result; the sink may hold the beginning of one.
        """
        transfer = Transfer(self._transport, f"/jobs/{self.id}/result", sink, lambda done, total: None)
        with suppress(ClientError):  # the job's record says how it ended; `finish` fetches the rest
            transfer.follow()
        self.refresh().wait()
        transfer.finish()
        return self

    def errors(self) -> list[RowError]:
        """Returns the rows that could not be predicted, in order. Reads the whole list into memory."""
        with TemporaryFile() as file:
            self.download_errors(file)
            file.seek(0)
            rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
            return [RowError(int(row["row"]), row["column"], row["value"], row["message"]) for row in rows]

    def download_errors(self, target: Target, *, as_input: bool = False) -> None:
        """Writes the rows that could not be predicted as CSV with the header `row,column,value,message`.

        With `as_input`, writes the rows themselves: their numbers in `_row`, what is wrong in `_error`, and then the
        columns of the input. Correct them in that file, and pass it to `repair`.
        """
        with open_sink(target) as sink:
            download(self._transport, f"/jobs/{self.id}/errors{'?as=input' if as_input else ''}", sink)

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
        path = f"/jobs/{self.id}/repair"
        if isinstance(corrections, Sequence) and not isinstance(corrections, str | bytes):
            body = dumps({"rows": [dict(row) for row in corrections]}).encode()
            self.raw = json_object(self._transport.call("POST", path, json=body))
        else:
            params = {} if encoding is None else {"encoding": encoding}
            self.raw = json_object(self._transport.upload(path, Upload(corrections), params, {}))
        return self

    def cancel(self) -> "Job":
        """Cancels the job.

        Raises:
            Conflict: the job has already ended.
        """
        self.raw = json_object(self._transport.call("POST", f"/jobs/{self.id}/cancel"))
        return self

    def retry(self) -> "Job":
        """Resumes a failed or cancelled job with the chunks that are not done.

        Raises:
            Conflict: the job cannot be resumed.
        """
        self.raw = json_object(self._transport.call("POST", f"/jobs/{self.id}/retry"))
        return self

    def delete(self) -> None:
        """Deletes the job and its files. A running job is cancelled first."""
        try:
            self._transport.call("DELETE", f"/jobs/{self.id}")
        except Gone:  # an earlier attempt deleted it, but its answer was lost
            return

    def to_pandas(self, **read_csv: Any) -> "pd.DataFrame":
        """Returns the result as a table. That of a single row has one row.

        Args:
            read_csv: arguments for `pandas.read_csv`, for example `dtype=str` to keep the text of every cell.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_pandas needs pandas: pip install pandas") from error
        if self.raw.get("kind") == "single":
            self.wait()
            result = self.raw.get("result") or {}
            named = {f"probability_{label}": p for label, p in (result.get("probabilities") or {}).items()}
            return pd.DataFrame([{"prediction": result.get("prediction"), **named, **(result.get("scores") or {})}])
        options = self.raw.get("options") or {}
        layout: dict[str, Any] = {
            "sep": "\t" if options.get("delimiter") == "tab" else options.get("delimiter", ","),
            "header": "infer" if options.get("header", True) else None,
        }
        with TemporaryFile() as file:
            self.download(file)
            file.seek(0)
            table: pd.DataFrame = pd.read_csv(file, **(layout | read_csv))
            return table


class NoResult(ClientError):
    """The job ended without a result."""

    def __init__(self, job: Job, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, problem)
        self.job = job


class JobFailed(NoResult):
    """The job failed. The detail is that of the job's error."""


class JobCancelled(NoResult):
    """The job was cancelled."""


class StillRunning(ClientError, TimeoutError):
    """The job has not ended in the time given. It is still running; `job` is it."""

    def __init__(self, job: Job, detail: str) -> None:
        super().__init__(detail)
        self.job = job
