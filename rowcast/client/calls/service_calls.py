"""The calls to the service that are not about one job, as steps. `Client` documents what they do and raise."""

import math
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from time import monotonic
from typing import Any, Generic
from urllib.parse import quote

from rowcast.client.calls.job_calls import AnyJob, JobCalls
from rowcast.client.calls.job_record import JobRecord
from rowcast.client.calls.lookup import alias_path, find_manifests
from rowcast.client.calls.resumable_upload import send_file
from rowcast.client.check import CHECKED_BYTES, CHECKED_SOURCE_BYTES, Check
from rowcast.client.csv_options import CsvOptions, FrameOptions, query_of
from rowcast.client.download import Target, open_sink
from rowcast.client.download_format import ResultFormat, format_of
from rowcast.client.errors import NoResult, Unprocessable, WrongUse
from rowcast.client.errors.alias_problems import AliasMoved
from rowcast.client.frames.frames import Frame, require_sendable, with_predictions, write_csv
from rowcast.client.frames.models_together import label_columns, needed_together, reference
from rowcast.client.http.endpoint import Endpoint, checked_seconds
from rowcast.client.http.steps import Steps, run
from rowcast.client.job_filter import BulkOutcome, filter_of
from rowcast.client.row import Prediction, is_series, needed_features, row_features, to_json
from rowcast.client.upload import OnBytes, Source, Upload
from rowcast.wording.quantity import counted

ANY = "*"
"""In place of the version that an alias is expected to name: any, or none."""

_ACT_SECONDS = 30
"""How long a bulk action may take."""

_CHECK_SECONDS = 45
"""How long a check may take: the service waits for a worker, which may have to read a whole workbook."""

_HOLD_SECONDS = 60
"""The longest wait that the service accepts."""


@dataclass(frozen=True)
class ServiceCalls(Generic[AnyJob]):
    """The calls to one service."""

    endpoint: Endpoint
    #: Makes a `Job` or `AsyncJob` of a record.
    make_job: Callable[[dict[str, Any]], AnyJob]

    def predict(
        self,
        features: Sequence[Any] | Mapping[str, Any],
        model: str | None,
        outputs: Mapping[str, Any],
        wait: float | None,
    ) -> Steps[Prediction]:
        """Predicts one row. `outputs` are options that say what to return. Those that are None are not sent."""
        asked = {name: value for name, value in outputs.items() if value is not None}
        body: dict[str, Any] = {"features": row_features(features), **asked}
        if model is not None:
            body["model"] = model
        began = monotonic()
        until = None if wait is None else began + checked_seconds(wait)
        try:
            answer = yield from self._predict_row(body, until)
        except (Unprocessable, WrongUse):  # perhaps because a Series has more values than the model needs
            if not is_series(features):
                raise
            manifests = yield from find_manifests(self.endpoint, model)
            needed = needed_features(body["features"], needed_together(manifests))
            if not needed:
                raise
            answer = yield from self._predict_row({**body, "features": needed}, until)
        if "id" not in answer:
            return Prediction.of(answer, str(answer["job"]))
        job = self.make_job(answer)
        yield from JobCalls(self.endpoint, job).wait(wait, since=began)
        return Prediction.of(job.raw.get("result") or {}, job.id)

    def _predict_row(self, body: Mapping[str, Any], until: float | None) -> Steps[dict[str, Any]]:
        """Returns the answer to one row, or its job if there is no answer at the time `until` (monotonic clock)."""
        hold = _HOLD_SECONDS
        if until is not None:
            hold = math.ceil(max(0, min(_HOLD_SECONDS, until - monotonic())))
        headers = {"Prefer": f"wait={hold}", "Idempotency-Key": str(uuid.uuid4())}
        return (
            yield from self.endpoint.call("POST", "/predict", json=to_json(body), headers=headers, wait_seconds=hold)
        )

    def submit_csv(
        self, source: Source, on_progress: OnBytes | None, idempotency_key: str | None, options: CsvOptions
    ) -> Steps[AnyJob]:
        """Uploads a CSV file and returns its job."""
        upload = yield from run(Upload, source, on_progress)
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self.make_job((yield from send_file(self.endpoint, upload, query_of(options), headers)))

    def submit_url(
        self,
        input_url: str,
        output_url: str | None,
        overwrite: bool,
        idempotency_key: str | None,
        options: CsvOptions,
    ) -> Steps[AnyJob]:
        """Makes a job of files that lie where the service can read them."""
        body: dict[str, str | bool] = {"input_url": input_url}
        if output_url is not None:
            body |= {"output_url": output_url, "overwrite": overwrite}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        query = query_of(options)
        return self.make_job(
            (yield from self.endpoint.call("POST", "/predict", json=to_json(body), params=query, headers=headers))
        )

    def check(self, source: Source, options: CsvOptions) -> Steps[Check]:
        """Checks the beginning of a CSV file, or the whole of a Parquet file or a workbook."""
        data, headers = yield from run(lambda: Upload(source).beginning(CHECKED_BYTES, CHECKED_SOURCE_BYTES))
        return (yield from self._check(options, content=data, headers=headers))

    def check_url(self, input_url: str, options: CsvOptions) -> Steps[Check]:
        """Checks the beginning of the first of some files that lie where the service can read them."""
        body, headers = to_json({"input_url": input_url}), {"Content-Type": "application/json"}
        return (yield from self._check(options, content=body, headers=headers))

    def _check(self, options: CsvOptions, **body: Any) -> Steps[Check]:
        params = {**query_of(options), "dry_run": "true"}
        answer = yield from self.endpoint.call("POST", "/predict", params=params, wait_seconds=_CHECK_SECONDS, **body)
        return Check.of(answer)

    def predict_csv(
        self, source: Source, target: Target, format: ResultFormat | None, options: CsvOptions
    ) -> Steps[AnyJob]:
        """Uploads a CSV file, and writes its result. A stream gets nothing before the job has succeeded."""
        form = format_of(target, format)
        with ExitStack() as files:
            sink = yield from run(files.enter_context, open_sink(target))
            job = yield from self.submit_csv(source, None, None, options)
            with _says_how_to_get(job, "download(...) writes its result"):
                if sink.can_rewind and form == "csv":
                    yield from JobCalls(self.endpoint, job).follow_to(sink)
                else:
                    yield from JobCalls(self.endpoint, job).wait(None)
                    yield from JobCalls(self.endpoint, job).download_to(sink, format=form)
            return job

    def predict_frame(
        self, frame: Frame, model: str | None, options: FrameOptions, on_progress: OnBytes | None
    ) -> Steps[tuple[Frame, AnyJob]]:
        """Predicts the rows of a DataFrame. Returns the frame with the predictions, and the job."""
        is_named_alone = not options.get("columns") and not (model and "," in model)
        require_sendable(frame, (options.get("prediction_column") or "prediction",) if is_named_alone else ())
        manifests = yield from find_manifests(self.endpoint, model)
        columns = label_columns(manifests, options)
        require_sendable(frame, columns)
        version: CsvOptions = {"model": ",".join(map(reference, manifests)), "output": "predictions"}
        with TemporaryFile() as table, TemporaryFile() as result:
            yield from run(write_csv, frame, needed_together(manifests), table)
            job = yield from self.submit_csv(table, on_progress, None, CsvOptions(**{**options, **version}))
            with _says_how_to_get(job, "to_pandas() returns its predictions in the order of the rows"):
                yield from JobCalls(self.endpoint, job).wait(None)
                yield from JobCalls(self.endpoint, job).download(result)
            return (yield from run(with_predictions, frame, result, columns)), job

    def act(self, action: str, matching: Mapping[str, Any], *, dry_run: bool) -> Steps[BulkOutcome]:
        """Does something to every job that matches."""
        body = to_json({"action": action, "filter": filter_of(matching), "dry_run": dry_run})
        answer = yield from self.endpoint.call("POST", "/jobs/actions", json=body, wait_seconds=_ACT_SECONDS)
        return BulkOutcome.of(answer)

    def models(self) -> Steps[list[dict[str, Any]]]:
        """Returns the models."""
        return list((yield from self.endpoint.call("GET", "/models"))["models"])

    def alias(self, name: str, alias: str) -> Steps[dict[str, Any]]:
        """Returns the version that an alias names, the one before it, and its moves."""
        return (yield from self.endpoint.call("GET", alias_path(name, alias)))

    def set_alias(self, name: str, alias: str, version: str, expected: str | None) -> Steps[dict[str, Any]]:
        """Moves an alias. Returns the model."""
        body = {"version": version} | ({} if expected == ANY else {"expected": expected})
        path = alias_path(name, alias)
        try:
            return (yield from self.endpoint.call("PUT", path, json=to_json(body)))
        except AliasMoved:  # also if the answer to an attempt was lost that has moved it
            found = yield from self.endpoint.call("GET", f"/models/{path.split('/')[2]}")
            if found["aliases"].get(alias) != version:
                raise
            return found

    def set_shadow(self, name: str, alias: str, model: str, share: float) -> Steps[dict[str, Any]]:
        """Sets the shadow of an alias. Returns the alias."""
        body = to_json({"model": model, "share": share})
        return (yield from self.endpoint.call("PUT", f"{alias_path(name, alias)}/shadow", json=body))

    def remove_shadow(self, name: str, alias: str) -> Steps[dict[str, Any]]:
        """Removes the shadow of an alias. Returns the alias."""
        return (yield from self.endpoint.call("DELETE", f"{alias_path(name, alias)}/shadow"))

    def send_actuals(
        self, name: str, source: Source, key: Sequence[str] | str | None, truth: str | None, more: Mapping[str, str]
    ) -> Steps[dict[str, Any]]:
        """Sends actuals, waits, and returns what they have led to. `more` are further parameters."""
        upload = yield from run(Upload, source)
        params = dict(more) | ({"truth": truth} if truth else {})
        if key:
            params["key"] = key if isinstance(key, str) else ",".join(key)
        path = f"/models/{quote(name, safe='')}/actuals"
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        job = self.make_job((yield from self.endpoint.upload(path, upload, params, headers)))
        yield from JobCalls(self.endpoint, job).wait(None)
        return (yield from self.endpoint.call("GET", path, params={"job": job.id}))

    def actuals(self, name: str) -> Steps[list[dict[str, Any]]]:
        """Returns the metrics of a model over time."""
        return list((yield from self.endpoint.call("GET", f"/models/{quote(name, safe='')}/actuals"))["days"])

    def pause(self, action: str, model: str | None = None, queue: str | None = None) -> Steps[dict[str, Any]]:
        """Pauses work (`pause`), or resumes it (`resume`), and returns what is paused; `pauses` changes nothing."""
        params = {name: value for name, value in (("model", model), ("queue", queue)) if value}
        method = "GET" if action == "pauses" else "POST"
        return (yield from self.endpoint.call(method, f"/queue/{action}", params=params))

    def receipt_keys(self) -> Steps[dict[str, Any]]:
        """Returns the public keys of receipts."""
        return (yield from self.endpoint.call("GET", "/receipts/keys"))


@contextmanager
def _says_how_to_get(job: JobRecord, result: str) -> Iterator[None]:
    """Adds to what interrupts the block, for example Ctrl-C, that the job goes on and how to get its result."""
    try:
        yield
    except NoResult:
        raise
    except BaseException as error:
        error.add_note(f"The job goes on in the service: client.job({job.id!r}).wait().{result}.")
        raise


def warn_of_failed_rows(job: JobRecord, rows: int) -> None:
    """Warns the caller of the public method if some rows could not be predicted."""
    if failed := job.progress.get("rows_failed"):
        message = (
            f"{failed:,} of {counted(rows, 'row')} could not be predicted; client.job({job.id!r}).errors() lists them"
        )
        warnings.warn(message, stacklevel=3)
