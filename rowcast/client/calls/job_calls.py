"""The calls about one job, as steps. Those that read the job's record put it into `job.raw`.

`Job` documents what they do and raise.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar
from urllib.parse import urlencode

from rowcast.client.calls.job_record import JobRecord, RowError
from rowcast.client.download import Sink, Target, Transfer, open_sink
from rowcast.client.download_format import ResultFormat, format_of
from rowcast.client.errors import ClientError, Conflict, Gone, StillRunning, WrongUse
from rowcast.client.errors.problems import ParquetUnfinished
from rowcast.client.http.endpoint import Endpoint, checked_seconds
from rowcast.client.http.steps import Pause, Steps, run
from rowcast.client.row import to_json
from rowcast.client.upload import OnBytes, Source, Upload

if TYPE_CHECKING:
    import pandas as pd

AnyJob = TypeVar("AnyJob", bound=JobRecord)

_HOLD_SECONDS = 30
"""How long the service may hold one answer. Under a minute, so that no proxy closes the silent connection."""
_HOLD_WATCHED_SECONDS = 1
"""The same if the caller watches the progress."""

_HASH_SECONDS = 300
"""How long the first receipt of a large result may take: the service reads all of it."""


@dataclass(frozen=True)
class JobCalls(Generic[AnyJob]):
    """The calls about `job`."""

    endpoint: Endpoint
    job: AnyJob

    def refresh(self) -> Steps[None]:
        """Reads the record again."""
        self.job.raw = yield from self.endpoint.call("GET", f"/jobs/{self.job.id}")

    def wait(
        self,
        timeout: float | None,
        on_progress: Callable[[AnyJob], None] | None = None,
        since: float | None = None,
    ) -> Steps[None]:
        """Waits until the job has succeeded. The service holds each answer until the job ends, or for some seconds.

        `since` is when the `timeout` began (monotonic clock); None is now.
        """
        until = None if timeout is None else checked_seconds(timeout) + (monotonic() if since is None else since)
        while not self.job.has_ended:
            left = float("inf") if until is None else until - monotonic()
            if left <= 0:
                raise StillRunning(
                    self.job, f"Job {self.job.id} is still {self.job.status} after {max(timeout or 0, 0):g} s."
                )
            hold = min(_HOLD_WATCHED_SECONDS if on_progress else _HOLD_SECONDS, left)
            params = {"wait": f"{hold:.3g}"}
            self.job.raw = yield from self.endpoint.call(
                "GET", f"/jobs/{self.job.id}", params=params, wait_seconds=hold
            )
            if on_progress:
                on_progress(self.job)
        self.job.check()

    def download(
        self,
        target: Target,
        on_progress: OnBytes | None = None,
        *,
        format: ResultFormat | None = None,
        partial: bool = False,
    ) -> Steps[None]:
        """Writes the result to a target."""
        form = format_of(target, format)
        with ExitStack() as files:
            sink = yield from run(files.enter_context, open_sink(target))
            yield from self.download_to(sink, on_progress, format=form, partial=partial)

    def download_to(
        self,
        sink: Sink,
        on_progress: OnBytes | None = None,
        *,
        format: ResultFormat = "csv",
        partial: bool = False,
    ) -> Steps[None]:
        """Writes the result into an open sink."""
        if format != "csv" and self.job.raw.get("kind") == "single":
            raise WrongUse(f"Job {self.job.id} is of one row. Its result is JSON, and not available as {format}.")
        # A worker writes the Parquet file at the first request, and the service holds the response until then.
        hold = _HOLD_SECONDS if format == "parquet" else 0
        query = {
            **({} if format == "csv" else {"format": format}),
            **({"redirect": "true"} if format == "parquet" else {}),
            **({"partial": "true"} if partial else {}),
            **({"wait": str(hold)} if hold else {}),
        }
        path = f"/jobs/{self.job.id}/result" + (f"?{urlencode(query)}" if query else "")
        while True:
            try:
                return (yield from Transfer(self.endpoint, path, sink, on_progress, hold).finish())
            except ParquetUnfinished as error:  # the worker goes on; that is waited for as a job is
                yield Pause(1 if error.retry_after_seconds is None else error.retry_after_seconds)
            except Conflict:
                yield from self.refresh()
                self.job.check()
                raise

    def follow_to(self, sink: Sink) -> Steps[None]:
        """Writes the result while it is made, and waits until the job has succeeded."""
        transfer = Transfer(self.endpoint, f"/jobs/{self.job.id}/result", sink)
        with suppress(ClientError):  # the job's record says how it ended; `finish` fetches the rest
            yield from transfer.follow()
        yield from self.refresh()
        yield from self.wait(None)
        yield from transfer.finish()

    def errors(self) -> Steps[list[RowError]]:
        """Returns the rows that could not be predicted."""
        with TemporaryFile() as file:
            yield from self.download_errors(file, as_input=False)
            return (yield from run(_row_errors, file))

    def download_errors(self, target: Target, *, as_input: bool) -> Steps[None]:
        """Writes the rows that could not be predicted to a target."""
        path = f"/jobs/{self.job.id}/errors{'?as=input' if as_input else ''}"
        with ExitStack() as files:
            sink = yield from run(files.enter_context, open_sink(target))
            yield from Transfer(self.endpoint, path, sink).finish()

    def repair(self, corrections: Source | Sequence[Mapping[str, Any]], encoding: str | None) -> Steps[None]:
        """Sends corrected rows. `encoding` is that of a CSV."""
        path = f"/jobs/{self.job.id}/repair"
        if isinstance(corrections, Sequence) and not isinstance(corrections, str | bytes | bytearray | memoryview):
            if not all(isinstance(row, Mapping) for row in corrections):
                raise WrongUse("Each corrected row is a mapping, for example {'_row': 7, 'age': 31}.")
            answer = yield from self.endpoint.call("POST", path, json=to_json({"rows": corrections}))
        else:
            upload = yield from run(Upload, corrections)
            params = {} if encoding is None else {"encoding": encoding}
            answer = yield from self.endpoint.upload(path, upload, params, {})
        self.job.raw = answer

    def receipt(self) -> Steps[dict[str, Any]]:
        """Returns the signed receipt."""
        path = f"/jobs/{self.job.id}/receipt"
        return (yield from self.endpoint.call("GET", path, wait_seconds=_HASH_SECONDS))

    def log(self) -> Steps[dict[str, Any]]:
        """Returns what happened to the job."""
        return (yield from self.endpoint.call("GET", f"/jobs/{self.job.id}/log"))

    def cancel(self) -> Steps[None]:
        """Cancels the job."""
        self.job.raw = yield from self.endpoint.call("POST", f"/jobs/{self.job.id}/cancel")

    def retry(self) -> Steps[None]:
        """Resumes the job."""
        self.job.raw = yield from self.endpoint.call("POST", f"/jobs/{self.job.id}/retry")

    def delete(self) -> Steps[None]:
        """Deletes the job."""
        with suppress(Gone):  # an earlier attempt deleted it, but its answer was lost
            yield from self.endpoint.call("DELETE", f"/jobs/{self.job.id}")

    def to_pandas(self, read_csv: Mapping[str, Any]) -> "Steps[pd.DataFrame]":
        """Returns the result as a table."""
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_pandas needs pandas: pip install pandas") from error
        if self.job.raw.get("kind") == "single":
            yield from self.wait(None)
            result = self.job.raw.get("result") or {}
            named = {f"probability_{label}": p for label, p in (result.get("probabilities") or {}).items()}
            for rank, one in enumerate(top if isinstance(top := result.get("top"), list) else (), start=1):
                named |= {f"top_{rank}": one["class"], f"top_{rank}_probability": one["probability"]}
            if "explanation_base" in result:
                named["explanation_base"] = result["explanation_base"]
            for rank, one in enumerate(result.get("explanations") or (), start=1):
                named |= {f"explanation_{rank}_feature": one["feature"], f"explanation_{rank}_value": one["value"]}
            return pd.DataFrame([{"prediction": result.get("prediction"), **named, **(result.get("scores") or {})}])
        options = self.job.raw.get("options") or {}
        layout: dict[str, Any] = {
            "sep": "\t" if options.get("delimiter") == "tab" else options.get("delimiter", ","),
            "header": "infer" if options.get("header", True) else None,
        }

        def read(file: BinaryIO) -> "pd.DataFrame":
            file.seek(0)
            table: pd.DataFrame = pd.read_csv(file, **(layout | dict(read_csv)))
            return table

        with TemporaryFile() as file:
            yield from self.download(file)
            return (yield from run(read, file))


def _row_errors(file: BinaryIO) -> list[RowError]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.DictReader(text)
    found = [RowError(int(row["row"]), row["column"], row["value"], row["message"]) for row in rows]
    text.detach()  # the caller closes the file
    return found
