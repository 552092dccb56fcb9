"""A job as the client sees it: its record at the time of the last look, and what can be done with it."""

import csv
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any

from rowcast.client.download import Sink, Target, Transfer, download, opened
from rowcast.client.errors import ClientError, Conflict, Gone, JobCancelled, JobFailed, StillRunning
from rowcast.client.transport import Transport, plain
from rowcast.client.upload import OnBytes

if TYPE_CHECKING:
    import pandas as pd

_HOLD_SECONDS = 30
"""How long the service holds one answer. Under a minute, so that no proxy between takes the silence for a break."""
_HOLD_WATCHED_SECONDS = 1
_LIVE = ("queued", "running")


@dataclass(frozen=True)
class RowError:
    """A row that could not be predicted. `row` counts data rows from 1.

    Column and value are empty where the whole row is at fault: it has too few fields, say.
    """

    row: int
    column: str
    value: str
    message: str


class Job:
    """One request to predict. `raw` is the record as the service sent it last; `refresh` and `wait` renew it."""

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
        """`rows_total`, `rows_done`, `rows_failed`, `fraction`, `rows_per_second`, `eta_seconds`."""
        return dict(self.raw.get("progress") or {})

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in _LIVE

    def refresh(self) -> "Job":
        """Asks for the record as it is now; answers the job itself."""
        self.raw = plain(self._transport.call("GET", f"/jobs/{self.id}"))
        return self

    def wait(self, timeout: float | None = None, on_progress: "Callable[[Job], None] | None" = None) -> "Job":
        """Waits until the job has succeeded; answers the job itself.

        Args:
            timeout: seconds; None waits for as long as it takes.
            on_progress: called with the job about once a second, and at the end.

        Raises:
            JobFailed: it failed.
            JobCancelled: it was cancelled.
            Gone: its files have expired.
            StillRunning: the timeout is up.
        """
        until = None if timeout is None else monotonic() + timeout
        while not self.has_ended:
            left = float("inf") if until is None else until - monotonic()
            if left <= 0:
                raise StillRunning(self, f"The job {self.id} is still {self.status} after {timeout:g} s.")
            hold = min(_HOLD_WATCHED_SECONDS if on_progress else _HOLD_SECONDS, left)
            answer = self._transport.call("GET", f"/jobs/{self.id}", params={"wait": f"{hold:.3g}"}, wait_seconds=hold)
            self.raw = plain(answer)
            if on_progress:
                on_progress(self)
        self.check()
        return self

    def check(self) -> None:
        """Raises what stands in the way of a result, judged by the last record; as `wait` does."""
        problem = self.raw.get("error") or {}
        if self.status == "failed":
            detail = problem.get("detail") or problem.get("title") or "no reason was given"
            raise JobFailed(self, f"The job {self.id} failed: {detail}", problem)
        if self.status == "cancelled":
            raise JobCancelled(self, f"The job {self.id} was cancelled.", problem)
        if self.status == "expired":
            raise Gone(f"The files of the job {self.id} have expired.", {"status": 410})

    def download(self, target: Target, on_progress: OnBytes | None = None) -> None:
        """Writes the result to a path (whole or not at all), `-` or a binary file; resumes a broken connection.

        Raises:
            Conflict: the job has not ended yet.
            JobFailed: it has no result; JobCancelled and Gone likewise.
        """
        with opened(target) as sink:
            self.download_to(sink, on_progress)

    def download_to(self, sink: Sink, on_progress: OnBytes | None = None) -> None:
        """As `download`, into a sink that is open already."""
        try:
            download(self._transport, f"/jobs/{self.id}/result", sink, on_progress)
        except Conflict:
            self.refresh().check()
            raise

    def follow_to(self, sink: Sink) -> "Job":
        """Waits, and meanwhile writes what comes of the result; answers the job itself, which has succeeded.

        Raises:
            JobFailed: it failed, and the sink has a part of its result. JobCancelled and Gone likewise.
        """
        transfer = Transfer(self._transport, f"/jobs/{self.id}/result", sink, lambda done, total: None)
        with suppress(ClientError):  # whatever it was, the job knows how it ended, and the rest is fetched then
            transfer.follow()
        self.refresh().wait()
        transfer.finish()
        return self

    def errors(self) -> list[RowError]:
        """The rows that could not be predicted, in their order; read whole into memory."""
        with TemporaryFile() as file:
            self.download_errors(file)
            file.seek(0)
            rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
            return [RowError(int(row["row"]), row["column"], row["value"], row["message"]) for row in rows]

    def download_errors(self, target: Target) -> None:
        """Writes the list of bad rows as CSV: `row,column,value,message`."""
        with opened(target) as sink:
            download(self._transport, f"/jobs/{self.id}/errors", sink)

    def cancel(self) -> "Job":
        """Ends the job without a result.

        Raises:
            Conflict: it has ended already.
        """
        self.raw = plain(self._transport.call("POST", f"/jobs/{self.id}/cancel"))
        return self

    def retry(self) -> "Job":
        """Lets a failed or cancelled batch go on with the chunks that are not done.

        Raises:
            Conflict: there is nothing to go on with.
        """
        self.raw = plain(self._transport.call("POST", f"/jobs/{self.id}/retry"))
        return self

    def delete(self) -> None:
        """Removes the job and its files; it is cancelled first where it still runs."""
        try:
            self._transport.call("DELETE", f"/jobs/{self.id}")
        except Gone:  # a try before this one did it, and its answer was lost
            return

    def to_pandas(self, **read_csv: Any) -> "pd.DataFrame":
        """The result as a table; a single job's has one row.

        Args:
            read_csv: passed on to `pandas.read_csv`; `dtype=str` keeps every column as it was sent.

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
