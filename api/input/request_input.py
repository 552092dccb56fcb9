"""The input of a request: a row or a file with its options, by the content type of the body."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from flask import g, request
from werkzeug.http import parse_options_header

from api.input.content_sniffing import MEDIA_TYPES, Unpacked
from api.input.json_rows import instances_csv, ndjson_csv
from api.input.live_upload import Pauses
from api.input.multipart import Form, read_form
from api.input.option_parsing import dry_run, query_flag, read_options
from api.input.request_body import in_steps, read_blocks, read_whole
from api.openapi.call_types import CSV_TYPES, TAB_SEPARATED
from api.services import Services
from api.url_prefix import prefix
from api.url_request import URL_FIELDS, UrlRequest, read_url_input
from rowcast.csv.decompression import gunzip
from rowcast.errors import BodyShape, BrokenForm, OptionUnsuitable, OptionValue, UnsupportedType
from rowcast.jobs.actions.receive_upload import OnProgress
from rowcast.jobs.actions.submit import Submitted
from rowcast.jobs.job import Format
from rowcast.jobs.options import Options, RowExtras, require_suitable
from rowcast.jobs.request import Request
from rowcast.jobs.request_files.strict_json import parse
from rowcast.jobs.results.result_columns import added_columns
from rowcast.models.cells import boolean, number, whole_number
from rowcast.models.model_manifest import Feature
from rowcast.models.model_set import ModelSet
from rowcast.models.row_values import values_of_each
from rowcast.pools import read_pools
from rowcast.tracing.spans import Tracer

_OF_JSON = {"delimiter": ",", "encoding": "utf-8"}
"""Values of CSV options that requests with JSON rows may have, because they change nothing."""

_ROWS = {"features", "instances", "input_url"}
"""Members of a JSON body that have the rows, or say where they are."""

CONVERTED_TYPES: dict[str, Format] = {media: format for format, media in MEDIA_TYPES.items() if format != "csv"}
"""Formats that workers convert, by content type. Other types only say that it is a file; its first bytes say more."""

FILE_TYPES = (*CSV_TYPES, *CONVERTED_TYPES, "application/x-www-form-urlencoded", "")
"""Content types of files. `curl --data-binary` and `curl -T` send the last two by default."""

_KEY = re.compile(r"^[\x20-\x7e]{1,255}$")


@dataclass(frozen=True)
class RowInput:
    """One row, whose values have been checked and are in the order of the model's features.

    If two models predict, `values` has a list for each.
    """

    request: Request
    values: list[Any]

    def submit(self, services: Services, id: str) -> Submitted:
        """Makes the job `id`.

        Raises:
            WorkersOutdated: a worker would ignore an option. The others are those of `Jobs.submit_row`.
        """
        if newer := RowExtras.of(self.request.options).names - services.row_options.FIRST:
            services.row_options.require(newer, self.request.pool)
        with queueing(services.tracer, self.request, id) as request:
            return services.jobs.submit_row(request, self.values, id)


@dataclass(frozen=True)
class FileInput:
    """A file, which is read when its blocks are. Reading it raises the errors of the body's reader."""

    request: Request
    blocks: Iterable[bytes]
    is_generated: bool = False
    """Whether the gateway makes the CSV from JSON rows."""
    is_dry_run: bool = False
    """Whether the request asks for a check instead of a job."""
    is_compressed: bool = False
    """Whether a header or the file name says that the file is compressed; `Unpacked` knows it from its bytes."""

    def submit(self, services: Services, id: str, on_progress: OnProgress | None = None) -> Submitted:
        """Makes the job `id`. Raises as `Jobs.submit_file` and `Jobs.submit_source`."""
        with queueing(services.tracer, self.request, id) as request:
            if isinstance(self.blocks, Unpacked) and (format := self.blocks.begin()) != "csv":
                return services.jobs.submit_source(request, self.blocks.content(), format, id)
            return services.jobs.submit_file(
                request, self.blocks, id, is_generated=self.is_generated, on_progress=on_progress
            )


@contextmanager
def queueing(tracer: Tracer, request: Request, id: str) -> Iterator[Request]:
    """Makes a span of the time in which a job is made. Yields the request, whose chunks are then below that span."""
    if not tracer.is_on:
        yield request
        return
    about = {"rowcast.job.id": id, "rowcast.model": request.models.reference}
    with tracer.begin("queue job", "producer", request.traceparent, about) as span:
        yield replace(request, traceparent=span.traceparent)


def read_input(services: Services) -> RowInput | FileInput | UrlRequest:
    """Returns what the request's body asks for, by its content type. Of a file, only options are read yet.

    Raises:
        UnsupportedType: no reader takes the content type. The others are those of the readers.
    """
    readers: dict[str, Callable[[Services], RowInput | FileInput | UrlRequest]] = {
        "application/json": _json,
        "application/x-ndjson": _ndjson,
        "multipart/form-data": lambda services: form_input(services, received_form(services)),
        **dict.fromkeys(FILE_TYPES, csv_input),
    }
    if request.mimetype not in readers:
        taken = ", ".join(filter(None, readers))
        raise UnsupportedType(f"Content-Type {request.mimetype!r} is not supported; send one of {taken}.")
    return readers[request.mimetype](services)


def typed_row(services: Services, model: str, texts: Mapping[str, str]) -> RowInput:
    """Returns the row that a person typed: the text of each feature, which is empty if it is missing.

    Raises:
        RowValues: a text is not what its feature takes. The others are those of finding the model.
    """
    job_request = new_request(services, Options(model=model or None))
    models = job_request.models
    features = {feature.name: feature for manifest in reversed(models.manifests) for feature in manifest.features}
    values = {name: _typed(text, features[name]) if name in features else text for name, text in texts.items()}
    return RowInput(job_request, _row(values, models))


def _row(features: Any, models: ModelSet) -> list[Any]:
    """Returns the values of a row: in the order of the model's features, or of two models a list for each."""
    values = values_of_each(features, models)
    return values if models.is_pair else values[0]


def _typed(text: str, feature: Feature) -> float | str | bool | None:
    """Returns the value of a text; the text itself if it is not what the feature takes, for the error to show."""
    if not text.strip():
        return None
    if feature.kind in ("number", "integer"):
        whole, value = whole_number(text), number(text)
        return whole if whole is not None else text if value is None else value
    if feature.kind == "boolean":
        value = boolean(text, feature.true_texts, feature.false_texts)
        return text if value is None else value
    return text


def _json(services: Services) -> RowInput | FileInput | UrlRequest:
    body = parse(read_whole(services.settings))
    if not isinstance(body, Mapping):
        raise BodyShape.at("body", "must be a JSON object with `features` or `instances`")
    rest = {name: value for name, value in body.items() if name not in ("features", "instances", *URL_FIELDS)}
    if len(_ROWS & body.keys()) != 1:
        message = "must have either `features` (one row), `instances` (many rows) or `input_url` (files elsewhere)"
        raise BodyShape.at("body", message)
    job_request = new_request(services, read_options(rest))
    is_dry_run = dry_run(rest)
    if "input_url" in body:
        return read_url_input(job_request, body, services.settings, is_dry_run=is_dry_run)
    if needless := body.keys() & set(URL_FIELDS):
        raise OptionUnsuitable.at(min(needless), "is only for requests with `input_url`")
    if "features" in body and not is_dry_run:
        if job_request.options.reuse:
            raise OptionUnsuitable.at("reuse", "is only for files")
        if job_request.options.columns:
            raise OptionUnsuitable.at("columns", "is only for files and `instances`")
        if query_flag("follow"):
            raise OptionUnsuitable.at("follow", "is only for files; for one row use `wait`")
        return RowInput(job_request, _row(body["features"], job_request.models))
    refuse_dialect(job_request.options)
    if "features" in body:
        values_of_each(body["features"], job_request.models)
    instances = [body["features"]] if "features" in body else body["instances"]
    return FileInput(job_request, [instances_csv(instances, job_request.models)], True, is_dry_run)


def _ndjson(services: Services) -> FileInput:
    job_request = new_request(services, read_options(), filename=_filename())
    refuse_dialect(job_request.options)
    rows = ndjson_csv(in_steps(read_blocks(services.settings)), services.settings.max_row_bytes)
    return FileInput(job_request, rows, True, dry_run())


def csv_input(services: Services, pauses: Pauses | None = None) -> FileInput:
    """Returns what a request with a file as its body asks for. `pauses` is that of `read_blocks`."""
    job_request = csv_request(services)
    body = read_blocks(services.settings, pauses=pauses)
    blocks = Unpacked(body, services.settings.max_upload_bytes, job_request.format)
    return FileInput(job_request, blocks, is_dry_run=dry_run(), is_compressed="Content-Encoding" in request.headers)


def csv_request(services: Services) -> Request:
    """Returns what is asked for about a file, without the file."""
    options = read_options()
    if request.mimetype == TAB_SEPARATED and "delimiter" not in options.model_fields_set:
        options = options.model_copy(update={"delimiter": "\t"})
    if "encoding" not in options.model_fields_set:
        _refuse_charset(request.mimetype_params)
    found = new_request(services, options, filename=_filename())
    return replace(found, format=CONVERTED_TYPES.get(request.mimetype))


def received_form(services: Services) -> Form:
    """Returns the form of the request, of whose file only the beginning is read yet. Raises as `read_form`."""
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise BrokenForm("The Content-Type `multipart/form-data` has no `boundary`. Let an HTTP library write it.")
    return read_form(read_blocks(services.settings), boundary.encode())


def form_input(services: Services, form: Form) -> FileInput:
    """Returns what a form asks for: its fields are options. Of the file, nothing more is read yet."""
    job_request = new_request(services, read_options(form.fields), filename=form.filename)
    content, max_bytes = form.content, services.settings.max_upload_bytes
    is_gzip = (form.filename or "").lower().endswith(".gz")
    if is_gzip:
        content = gunzip(content, max_bytes)
    blocks = Unpacked(content, max_bytes)
    return FileInput(job_request, blocks, is_dry_run=dry_run(form.fields), is_compressed=is_gzip)


def new_request(services: Services, options: Options, filename: str | None = None) -> Request:
    """Returns a request of the present caller, without its body.

    Raises:
        OptionValue, OptionUnsuitable: the Idempotency-Key is not valid, or the models cannot do what the options ask.
            The others are those of finding the models and of checking the webhook.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise OptionValue.at("Idempotency-Key", "must have 1 to 255 printable ASCII characters")
    models = services.models(options.model)
    if options.reuse and query_flag("follow"):
        raise OptionUnsuitable.at("reuse", "cannot be combined with follow")
    if options.webhook is not None:
        if options.reuse:
            raise OptionUnsuitable.at("webhook", "cannot be combined with reuse: the earlier job has its own, or none")
        services.webhook_guard.require_allowed(options.webhook)
    require_suitable(options, models)
    added_columns(options, models)
    pools = read_pools(services.settings.pools).of_models(manifest.name for manifest in models.manifests)
    if len(pools) > 1:
        both = " and ".join(pools)
        raise OptionUnsuitable.at("model", f"names models of two pools of workers, {both}; no worker serves both")
    return Request(
        models.first,
        options,
        g.owner,
        g.request_id,
        g.traceparent,
        key,
        filename,
        second=models.second,
        url_prefix=prefix() if options.webhook is not None else "",
        pool=pools[0] if pools else "",
        shadow=services.shadowing(options.model, models),
    )


def refuse_dialect(options: Options) -> None:
    """Refuses options about the format of a CSV, which have no meaning for rows in JSON."""
    for name in ("delimiter", "decimal", "encoding", "header"):
        if getattr(options, name) not in (Options.model_fields[name].default, _OF_JSON.get(name)):
            raise OptionUnsuitable.at(name, "is only for CSV files")


def _refuse_charset(parameters: Mapping[str, Any]) -> None:
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedType(f"charset={charset!r} is not supported; send UTF-8, or use the option `encoding`.")


def _filename() -> str | None:
    """Returns the file name of a raw body, if `Content-Disposition` has one."""
    _, parameters = parse_options_header(request.headers.get("Content-Disposition"))
    return parameters.get("filename") or None
