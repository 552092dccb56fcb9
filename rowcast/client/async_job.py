"""A job in the asynchronous client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rowcast.client.calls.job_calls import JobCalls
from rowcast.client.calls.job_record import JobRecord, RowError
from rowcast.client.download import Target
from rowcast.client.download_format import ResultFormat
from rowcast.client.http.async_transport import AsyncTransport
from rowcast.client.upload import OnBytes, Source

if TYPE_CHECKING:
    import pandas as pd


class AsyncJob(JobRecord):
    """One request to predict, with the calls of `Job`, each to be awaited."""

    def __init__(self, transport: AsyncTransport, raw: dict[str, Any]) -> None:
        super().__init__(raw)
        self._run, self._calls = transport.run, JobCalls(transport, self)

    async def refresh(self) -> "AsyncJob":
        """Reads the record again and returns this job."""
        await self._run(self._calls.refresh())
        return self

    async def wait(
        self, timeout: float | None = None, on_progress: "Callable[[AsyncJob], None] | None" = None
    ) -> "AsyncJob":
        """Waits until the job has succeeded and returns this job, as `Job.wait` does.

        `on_progress` is called in the event loop, and is a plain function.
        """
        await self._run(self._calls.wait(timeout, on_progress))
        return self

    async def download(
        self,
        target: Target,
        on_progress: OnBytes | None = None,
        *,
        format: ResultFormat | None = None,
        partial: bool = False,
    ) -> None:
        """Writes the result to a path, `-` or a binary file, as `Job.download` does."""
        await self._run(self._calls.download(target, on_progress, format=format, partial=partial))

    async def errors(self) -> list[RowError]:
        """Returns the rows that could not be predicted, in order."""
        return await self._run(self._calls.errors())

    async def download_errors(self, target: Target, *, as_input: bool = False) -> None:
        """Writes the rows that could not be predicted as CSV, as `Job.download_errors` does."""
        await self._run(self._calls.download_errors(target, as_input=as_input))

    async def repair(
        self, corrections: Source | Sequence[Mapping[str, Any]], *, encoding: str | None = None
    ) -> "AsyncJob":
        """Sends bad rows back, corrected, as `Job.repair` does. Returns this job."""
        await self._run(self._calls.repair(corrections, encoding))
        return self

    async def receipt(self) -> dict[str, Any]:
        """Returns the signed receipt of a batch that has succeeded, as `Job.receipt` does."""
        return await self._run(self._calls.receipt())

    async def log(self) -> dict[str, Any]:
        """Returns what happened to the job, as `Job.log` does."""
        return await self._run(self._calls.log())

    async def cancel(self) -> "AsyncJob":
        """Cancels the job, as `Job.cancel` does."""
        await self._run(self._calls.cancel())
        return self

    async def retry(self) -> "AsyncJob":
        """Resumes a failed or cancelled job, as `Job.retry` does."""
        await self._run(self._calls.retry())
        return self

    async def delete(self) -> None:
        """Deletes the job and its files. A running job is cancelled first."""
        await self._run(self._calls.delete())

    async def to_pandas(self, **read_csv: Any) -> "pd.DataFrame":
        """Returns the result as a table, as `Job.to_pandas` does."""
        return await self._run(self._calls.to_pandas(read_csv))
