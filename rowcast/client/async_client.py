"""The asynchronous client: the calls of `Client`, each to be awaited."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from rowcast.client.async_job import AsyncJob
from rowcast.client.calls.lookup import JobPages, find_manifest, find_record
from rowcast.client.calls.service_calls import ANY, ServiceCalls, warn_of_failed_rows
from rowcast.client.check import Check
from rowcast.client.csv_options import CsvOptions, FrameOptions
from rowcast.client.download import Target
from rowcast.client.download_format import ResultFormat
from rowcast.client.frames.frames import Frame
from rowcast.client.http.async_transport import AsyncTransport
from rowcast.client.http.endpoint import TIMEOUT_SECONDS, address_and_key
from rowcast.client.http.retries import Patience
from rowcast.client.job_filter import BulkOutcome, JobFilter
from rowcast.client.row import Prediction
from rowcast.client.upload import OnBytes, Source


class AsyncClient:
    """A connection to one Rowcast service, for programs with an event loop. The tasks of that loop may share it.

    The arguments, results and errors are those of `Client`. If a task is cancelled, its request is abandoned and the
    connection closed; a job that was submitted goes on.
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
        """Makes a client; the first call connects. The arguments are those of `Client`."""
        self._transport = AsyncTransport(
            *address_and_key(url, api_key), timeout_seconds=timeout, max_retries=max_retries, patience=patience
        )
        self._run = self._transport.run
        self._calls = ServiceCalls(self._transport, partial(AsyncJob, self._transport))

    @property
    def url(self) -> str:
        """The service's address."""
        return self._transport.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.close()

    async def predict(
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
        """Predicts one row, as `Client.predict` does."""
        outputs = {
            "probabilities": probabilities,
            "scores": scores,
            "threshold": threshold,
            "top": top,
            "explain": explain,
        }
        return await self._run(self._calls.predict(features, model, outputs, wait))

    async def submit_csv(
        self,
        source: Source,
        *,
        on_progress: OnBytes | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CsvOptions],
    ) -> AsyncJob:
        """Uploads a CSV file as a stream and returns the job that scores it, as `Client.submit_csv` does.

        The file is read in a thread. `on_progress` is called in the event loop, and is a plain function.
        """
        return await self._run(self._calls.submit_csv(source, on_progress, idempotency_key, options))

    async def submit_url(
        self,
        input_url: str,
        output_url: str | None = None,
        *,
        overwrite: bool = False,
        idempotency_key: str | None = None,
        **options: Unpack[CsvOptions],
    ) -> AsyncJob:
        """Returns the job that scores files which the service may read, as `Client.submit_url` does."""
        return await self._run(self._calls.submit_url(input_url, output_url, overwrite, idempotency_key, options))

    async def check(self, source: Source, **options: Unpack[CsvOptions]) -> Check:
        """Checks a file without making a job, as `Client.check` does."""
        return await self._run(self._calls.check(source, options))

    async def check_url(self, input_url: str, **options: Unpack[CsvOptions]) -> Check:
        """Checks files that the service may read, as `Client.check_url` does."""
        return await self._run(self._calls.check_url(input_url, options))

    async def predict_csv(
        self, source: Source, target: Target, *, format: ResultFormat | None = None, **options: Unpack[CsvOptions]
    ) -> AsyncJob:
        """Uploads a CSV file, waits, and writes the result to `target`, as `Client.predict_csv` does."""
        return await self._run(self._calls.predict_csv(source, target, format, options))

    async def predict_frame(
        self,
        frame: Frame,
        *,
        model: str | None = None,
        on_progress: OnBytes | None = None,
        **options: Unpack[FrameOptions],
    ) -> Frame:
        """Predicts each row of a DataFrame of pandas or polars, as `Client.predict_frame` does."""
        done, job = await self._run(self._calls.predict_frame(frame, model, options, on_progress))
        warn_of_failed_rows(job, len(frame))
        return done

    async def job(self, id: str) -> AsyncJob:
        """Returns the job with this id, or the only job with an id that begins with it, as `Client.job` does."""
        return AsyncJob(self._transport, await self._run(find_record(self._transport, id)))

    async def jobs(
        self,
        status: str | None = None,
        limit: int | None = None,
        *,
        model: str | None = None,
        tag: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Yields the jobs that match, newest first, as `Client.jobs` does. Nothing is requested before the first."""
        matching = {"status": status, "model": model, "tag": tag, "since": since, "until": until}
        pages = JobPages(self._transport, matching, limit)
        while pages.has_next:
            await self._run(pages.load())
            for raw in pages.records:
                yield AsyncJob(self._transport, raw)

    async def act(
        self, action: Literal["cancel", "retry", "delete"], *, dry_run: bool = False, **matching: Unpack[JobFilter]
    ) -> BulkOutcome:
        """Cancels, retries or deletes every job that matches, as `Client.act` does."""
        return await self._run(self._calls.act(action, matching, dry_run=dry_run))

    async def models(self) -> list[dict[str, Any]]:
        """Returns the models, each with its versions and aliases."""
        return await self._run(self._calls.models())

    async def manifest(self, model: str | None = None) -> dict[str, Any]:
        """Returns what is known about a version, as `Client.manifest` does."""
        return await self._run(find_manifest(self._transport, model))

    async def alias(self, name: str, alias: str = "production") -> dict[str, Any]:
        """Returns the version that an alias names, the one to go back to, and its moves, as `Client.alias` does."""
        return await self._run(self._calls.alias(name, alias))

    async def set_alias(self, name: str, alias: str, version: str, *, expected: str | None = ANY) -> dict[str, Any]:
        """Points an alias at a version, as `Client.set_alias` does."""
        return await self._run(self._calls.set_alias(name, alias, version, expected))

    async def set_shadow(self, name: str, alias: str, model: str, share: float = 0.1) -> dict[str, Any]:
        """Lets another version score a share of an alias's files, too, as `Client.set_shadow` does."""
        return await self._run(self._calls.set_shadow(name, alias, model, share))

    async def remove_shadow(self, name: str, alias: str) -> dict[str, Any]:
        """Lets only the alias's own version score its files again, as `Client.remove_shadow` does."""
        return await self._run(self._calls.remove_shadow(name, alias))

    async def send_actuals(
        self,
        name: str,
        source: Source,
        *,
        key: Sequence[str] | str | None = None,
        truth: str | None = None,
        **more: str,
    ) -> dict[str, Any]:
        """Sends what became true, and returns how good the predictions were, as `Client.send_actuals` does."""
        return await self._run(self._calls.send_actuals(name, source, key, truth, more))

    async def actuals(self, name: str) -> list[dict[str, Any]]:
        """Returns how good the predictions of a model were over time, as `Client.actuals` does."""
        return await self._run(self._calls.actuals(name))

    async def pause(
        self, *, model: str | None = None, queue: Literal["batch", "single"] | None = None
    ) -> dict[str, Any]:
        """Hands no more work to workers, as `Client.pause` does."""
        return await self._run(self._calls.pause("pause", model, queue))

    async def resume(
        self, *, model: str | None = None, queue: Literal["batch", "single"] | None = None
    ) -> dict[str, Any]:
        """Ends pauses, as `Client.resume` does."""
        return await self._run(self._calls.pause("resume", model, queue))

    async def pauses(self) -> dict[str, Any]:
        """Returns what is paused, as `Client.pauses` does."""
        return await self._run(self._calls.pause("pauses"))

    async def receipt_keys(self) -> dict[str, Any]:
        """Returns the public keys that receipts are checked with, as `Client.receipt_keys` does."""
        return await self._run(self._calls.receipt_keys())
