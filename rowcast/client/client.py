"""The client: where the service is, and what can be asked of it."""

import math
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack
from urllib.parse import urlsplit

from rowcast.client.csv_options import CsvOptions, query_of
from rowcast.client.dataframe import require_plain, with_predictions, write_csv
from rowcast.client.download import Target, opened
from rowcast.client.errors import Unprocessable, WrongUse
from rowcast.client.job import Job
from rowcast.client.lookup import find_manifest, find_record
from rowcast.client.retries import Patience
from rowcast.client.row import is_series, json_of, needed_features, row_features
from rowcast.client.transport import Transport, plain
from rowcast.client.upload import OnBytes, Source, Upload

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_URL = "http://127.0.0.1:5000"
_HOLD_SECONDS = 60
"""The longest wait that the service takes."""


@dataclass(frozen=True)
class Prediction:
    """One row's prediction; `probabilities` and `scores` are None unless they were asked for, `job` is the job's id.

    A prediction that is infinite or not a number is None, and `warning` says which it is.
    """

    prediction: Any
    probabilities: dict[str, float] | None
    job: str
    warning: str | None = None
    scores: dict[str, float] | None = None
    """What `decision_function` gives, by the columns that a file's result would have: `score`, or `score_CLASS`."""


class Client:
    """A connection to one Rowcast service; safe to share between threads.

    What is safe to send twice is sent again after a failure that may go away, for up to `patience.seconds`.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, patience: Patience | None = None) -> None:
        """`url` and `api_key` default to the environment's ROWCAST_URL and ROWCAST_API_KEY.

        Raises:
            WrongUse: the address is none.
        """
        self._transport = Transport(
            url or os.environ.get("ROWCAST_URL") or DEFAULT_URL,
            api_key or os.environ.get("ROWCAST_API_KEY") or None,
            patience or Patience(),
        )

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
        """Predicts one row: its values in the model's order, or by name.

        Args:
            features: the row: a sequence in the model's order, or a mapping or a pandas Series by name. Of a Series,
                which is a row of a DataFrame, only what the model needs counts; a mapping has the features' names only.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`.
            probabilities: whether to answer each class's probability too.
            scores: whether to answer what the model's `decision_function` gives, too.
            wait: seconds to wait for the answer in all; None waits for as long as it takes.

        Raises:
            StillRunning: the time is up; its `job` goes on.
        """
        body: dict[str, Any] = {"features": row_features(features), "probabilities": probabilities, "scores": scores}
        if model is not None:
            body["model"] = model
        until = None if wait is None else monotonic() + wait
        try:
            answer = self._predict_row(body, until)
        except (Unprocessable, WrongUse):  # which a Series' further values may be to blame for
            needed = is_series(features) and needed_features(body["features"], find_manifest(self._transport, model))
            if not needed:
                raise
            answer = self._predict_row({**body, "features": needed}, until)
        if "id" not in answer:
            return _prediction(answer, str(answer["job"]))
        job = Job(self._transport, answer).wait(None if until is None else until - monotonic())
        return _prediction(job.raw.get("result") or {}, job.id)

    def _predict_row(self, body: Mapping[str, Any], until: float | None) -> dict[str, Any]:
        """The answer to one row, or its job if it is not there by the time `until` (of the monotonic clock)."""
        hold = _HOLD_SECONDS
        if until is not None:
            hold = max(0, min(_HOLD_SECONDS, math.ceil(until - monotonic())))
        headers = {"Prefer": f"wait={hold}", "Idempotency-Key": str(uuid.uuid4())}
        sent = self._transport.call("POST", "/predict", json=json_of(body), headers=headers, wait_seconds=hold)
        return plain(sent)

    def submit_csv(
        self,
        source: Source,
        *,
        on_progress: OnBytes | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CsvOptions],
    ) -> Job:
        """Sends a CSV file as a stream and answers the job that scores it.

        Args:
            source: a path (`*.gz` too), `-` for standard input, bytes, or a binary file.
            on_progress: told the bytes sent, and those there are in all (None for a pipe).
            idempotency_key: a key of your own, by which a later call, from another process too, finds the same job.
            options: how the file is scored.

        Raises:
            Unprocessable: it does not fit the model; `errors` says what is missing. A wrong file is refused by its
                header line, before the whole of it is sent.
        """
        upload = Upload(source, on_progress)
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return Job(self._transport, plain(self._transport.upload("/predict", upload, query_of(options), headers)))

    def predict_csv(self, source: Source, target: Target, **options: Unpack[CsvOptions]) -> Job:
        """Sends a CSV file, waits, and writes the result to `target`, which appears whole or not at all.

        A file's result is fetched while the rest is scored; a stream, from which nothing can be taken back, gets it
        when the job has succeeded.

        Raises:
            JobFailed: the job failed; nothing is written then.
        """
        with opened(target) as sink:
            job = self.submit_csv(source, **options)
            if sink.rewind:
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
        """Predicts each row of a pandas DataFrame, as a file; returns a copy of it with the predictions added.

        The index is kept. Only the columns that the model needs are sent, with exact values. A row that cannot be
        predicted has missing values in the added columns, and a warning says how many there are.

        Args:
            frame: the rows. Its column names have to be distinct texts; the index may be of any kind.
            model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`.
            probabilities: whether to add `probability_CLASS` for each class.
            scores: whether to add what `decision_function` gives, as `score` or as `score_CLASS` for each class.
            prediction_column: the name of the column with the predictions.
            on_error: `fail` raises at the first bad row.
            max_errors: more bad rows than this raise.
            on_progress: called with the bytes sent, and the bytes in all.

        Raises:
            WrongUse: the frame cannot be sent; the message says why and what to do.
            JobFailed: the job failed, for example because every row is bad.
        """
        require_plain(frame, prediction_column)
        manifest = find_manifest(self._transport, model)
        with TemporaryFile() as table, TemporaryFile() as result:
            write_csv(frame, manifest, table)
            table.seek(0)
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
            result.seek(0)
            done = with_predictions(frame, result, manifest, prediction_column)
        if bad := job.progress.get("rows_failed"):
            said = f"{bad:,} of {len(frame):,} rows could not be predicted; client.job({job.id!r}).errors() lists them"
            warnings.warn(said, stacklevel=2)
        return done

    def job(self, id: str) -> Job:
        """The job with that id, or the only one whose id begins so.

        Raises:
            NotFound: there never was one.
            Gone: it was deleted.
            WrongUse: it is not an id or the beginning of one, or several jobs have ids that begin so.
        """
        return Job(self._transport, find_record(self._transport, id))

    def jobs(self, status: str | None = None, limit: int | None = None) -> Iterator[Job]:
        """Jobs, newest first, asked for page by page; `limit` in all."""
        params = {"limit": str(min(limit or 200, 200)), **({"status": status} if status else {})}
        page = plain(self._transport.call("GET", "/jobs", params=params))
        return self._pages(page, limit)

    def models(self) -> list[dict[str, Any]]:
        """The models that there are, each with its versions and aliases."""
        return list(plain(self._transport.call("GET", "/models"))["models"])

    def _pages(self, page: dict[str, Any], limit: int | None) -> Iterator[Job]:
        left = limit
        while True:
            for raw in page["jobs"][:left]:
                yield Job(self._transport, raw)
            left = None if left is None else left - len(page["jobs"])
            if not page.get("next") or (left is not None and left <= 0):
                return
            page = plain(self._transport.call("GET", f"/jobs?{urlsplit(page['next']).query}"))


def _prediction(result: Mapping[str, Any], job: str) -> Prediction:
    probabilities, scores = result.get("probabilities"), result.get("scores")
    return Prediction(result.get("prediction"), probabilities, job, result.get("warning"), scores)
