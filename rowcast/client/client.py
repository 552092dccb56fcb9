"""The client: a connection to one service, and the calls to it."""

import math
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from tempfile import TemporaryFile
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from rowcast.client.check import CHECKED_BYTES, Check
from rowcast.client.csv_options import CsvOptions, query_of
from rowcast.client.dataframe import require_sendable, with_predictions, write_csv
from rowcast.client.download import Target, open_sink
from rowcast.client.errors import Unprocessable, WrongUse
from rowcast.client.job import Job
from rowcast.client.job_filter import BulkOutcome, JobFilter, filter_of
from rowcast.client.lookup import find_manifest, find_record, job_pages
from rowcast.client.retries import Patience
from rowcast.client.row import Prediction, is_series, needed_features, row_features, to_json
from rowcast.client.transport import ANSWER_SECONDS, Transport, json_object
from rowcast.client.upload import OnBytes, Source, Upload

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_URL = "http://127.0.0.1:5000"
_ACT_SECONDS = 30
"""How long a bulk action may take."""

_CHECK_SECONDS = 15
"""How long a check may take: the service waits for a worker."""

_HOLD_SECONDS = 60
"""The longest wait that the service accepts."""


class Client:
    """A connection to one Rowcast service. Threads may share it.

    Requests that are safe to repeat are sent again after errors that may pass, for up to `patience.seconds`.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        patience: Patience | None = None,
        timeout: float = ANSWER_SECONDS,
    ) -> None:
        """Takes `url` and `api_key` from the environment's ROWCAST_URL and ROWCAST_API_KEY if they are not given.

        `patience` is for how long failed requests are repeated, `timeout` how many seconds an answer may take at most.

        Raises:
            WrongUse: `url` is not a valid URL.
        """
        url = url or os.environ.get("ROWCAST_URL") or DEFAULT_URL
        api_key = api_key or os.environ.get("ROWCAST_API_KEY") or None
        self._transport = Transport(url, api_key, patience or Patience(), timeout)

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
        wait: float | None = 60,
    ) -> Prediction:
        """Predicts one row.

        Args:
            features: the row: a sequence in the model's order, or a mapping or pandas Series by feature name. A Series,
                for example a row of a DataFrame, may have more values than the model needs; a mapping may not.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`; None is the service's default model.
            probabilities: whether to return the probability of each class.
            scores: whether to return what the model's `decision_function` returns.
            wait: seconds to wait in all; None waits without limit.

        Raises:
            StillRunning: the job has not ended in that time; `job` is it.
        """
        body: dict[str, Any] = {"features": row_features(features), "probabilities": probabilities, "scores": scores}
        if model is not None:
            body["model"] = model
        until = None if wait is None else monotonic() + wait
        try:
            answer = self._predict_row(body, until)
        except (Unprocessable, WrongUse):  # perhaps because a Series has more values than the model needs
            needed = is_series(features) and needed_features(body["features"], find_manifest(self._transport, model))
            if not needed:
                raise
            answer = self._predict_row({**body, "features": needed}, until)
        if "id" not in answer:
            return Prediction.of(answer, str(answer["job"]))
        job = Job(self._transport, answer).wait(None if until is None else until - monotonic())
        return Prediction.of(job.raw.get("result") or {}, job.id)

    def _predict_row(self, body: Mapping[str, Any], until: float | None) -> dict[str, Any]:
        """Returns the answer to one row, or its job if there is no answer at the time `until` (monotonic clock)."""
        hold = _HOLD_SECONDS
        if until is not None:
            hold = max(0, min(_HOLD_SECONDS, math.ceil(until - monotonic())))
        headers = {"Prefer": f"wait={hold}", "Idempotency-Key": str(uuid.uuid4())}
        sent = self._transport.call("POST", "/predict", json=to_json(body), headers=headers, wait_seconds=hold)
        return json_object(sent)

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
            source: a path (`*.gz` too), `-` for standard input, bytes, or a binary file.
            on_progress: called with the bytes sent and the bytes in all (None for a pipe).
            idempotency_key: your name for this upload. A second call with it, even from another process, returns the
                same job.
            options: how the file is scored.

        Raises:
            Unprocessable: the file does not fit the model; `errors` lists what is missing. The service checks the
                header line before the rest of the file is sent.
        """
        upload = Upload(source, on_progress)
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return Job(self._transport, json_object(self._transport.upload("/predict", upload, query_of(options), headers)))

    def check(self, source: Source, **options: Unpack[CsvOptions]) -> Check:
        """Checks a CSV file without making a job: the service reads its first MiB and predicts its first rows.

        Args:
            source: as in `submit_csv`. Of standard input or another pipe, the first MiB is used up.
            options: how the file would be scored.

        Raises:
            Unprocessable: an option is wrong. A file that does not fit raises nothing: the check says what is wrong.
        """
        data, headers = Upload(source).beginning(CHECKED_BYTES)
        params = {**query_of(options), "dry_run": "true"}
        sent = self._transport.call(
            "POST", "/predict", params=params, content=data, headers=headers, wait_seconds=_CHECK_SECONDS
        )
        return Check.of(json_object(sent))

    def predict_csv(self, source: Source, target: Target, **options: Unpack[CsvOptions]) -> Job:
        """Uploads a CSV file, waits, and writes the result to `target`.

        A file at a path is complete or does not appear; the result is downloaded while later rows are scored. What is
        written to a stream cannot be withdrawn, so a stream gets the result after the job has succeeded.

        Raises:
            JobFailed: the job failed; nothing is written.
        """
        with open_sink(target) as sink:
            job = self.submit_csv(source, **options)
            if sink.can_rewind:
                return job.follow_to(sink)
            job.wait().download_to(sink)
        return job

    def predict_frame(
        self,
        frame: "pd.DataFrame",
        *,
        model: str | None = None,
        probabilities: bool = False,
        scores: bool = False,
        prediction_column: str = "prediction",
        on_error: Literal["skip", "fail"] | None = None,
        max_errors: int | None = None,
        on_progress: OnBytes | None = None,
    ) -> "pd.DataFrame":
        """Predicts each row of a pandas DataFrame. Returns a copy of the frame with the predictions added.

        The frame is sent as a CSV file: only the columns that the model needs, with exact values. The index is kept.
        A row that could not be predicted has missing values in the added columns, and a warning counts such rows.

        Args:
            frame: the rows, with distinct texts as column names and any kind of index.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`; None is the service's default model.
            probabilities: whether to add `probability_CLASS` for each class.
            scores: whether to add what `decision_function` returns, as `score` or as `score_CLASS` for each class.
            prediction_column: name of the prediction column.
            on_error: `fail` makes the job fail if a row cannot be predicted.
            max_errors: the job fails as soon as more rows than this could not be predicted.
            on_progress: called with the bytes sent and the bytes in all.

        Raises:
            WrongUse: the frame cannot be sent; the message says why and what to do.
            JobFailed: the job failed, for example because no row could be predicted.
        """
        require_sendable(frame, prediction_column)
        manifest = find_manifest(self._transport, model)
        with TemporaryFile() as table, TemporaryFile() as result:
            write_csv(frame, manifest, table)
            job = self.submit_csv(
                table,
                on_progress=on_progress,
                model=f"{manifest['name']}@{manifest['version']}",
                output="predictions",
                probabilities=probabilities,
                scores=scores,
                prediction_column=prediction_column,
                on_error=on_error,
                max_errors=max_errors,
            ).wait()
            job.download(result)
            _warn_of_failed_rows(job, len(frame))
            return with_predictions(frame, result, manifest, prediction_column)

    def job(self, id: str) -> Job:
        """Returns the job with this id, or the only job with an id that begins with it.

        Raises:
            NotFound: there is no such job.
            Gone: the job was deleted.
            WrongUse: `id` is not the beginning of a job id, or several job ids begin with it.
        """
        return Job(self._transport, find_record(self._transport, id))

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
        params = {"limit": str(min(limit or 200, 200)), **filter_of(matching)}
        page = json_object(self._transport.call("GET", "/jobs", params=params))
        return job_pages(self._transport, page, limit)

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
        body = {"action": action, "filter": filter_of(matching), "dry_run": dry_run}
        sent = self._transport.call("POST", "/jobs/actions", json=to_json(body), wait_seconds=_ACT_SECONDS)
        return BulkOutcome.of(json_object(sent))

    def models(self) -> list[dict[str, Any]]:
        """Returns the models, each with its versions and aliases."""
        return list(json_object(self._transport.call("GET", "/models"))["models"])


def _warn_of_failed_rows(job: Job, rows: int) -> None:
    """Warns the caller of the public method if some rows could not be predicted."""
    if failed := job.progress.get("rows_failed"):
        message = f"{failed:,} of {rows:,} rows could not be predicted; client.job({job.id!r}).errors() lists them"
        warnings.warn(message, stacklevel=3)
