"""The submission of a body: its rows become a job, by its content type."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import g, request
from werkzeug.http import parse_options_header

from api.input.content_sniffing import unpacked
from api.input.decompression import gunzip
from api.input.json_rows import instances_csv, ndjson_csv, parse
from api.input.live_upload import Pauses
from api.input.multipart import read_form
from api.input.option_parsing import query_follow, read_options
from api.input.request_body import in_steps, read_blocks, read_whole
from api.openapi.call_types import CSV_TYPES, TAB_SEPARATED
from api.services import Services
from rowcast.errors import BodyShape, BrokenForm, OptionUnsuitable, OptionValue, UnsupportedType
from rowcast.jobs.actions.submit import Submitted
from rowcast.jobs.options import Options
from rowcast.jobs.request import Request
from rowcast.models.row_values import row_values

_OF_JSON = {"delimiter": ",", "encoding": "utf-8"}
"""Values of CSV options that requests with JSON rows may have, because they change nothing."""

FILE_TYPES = (*CSV_TYPES, "application/x-www-form-urlencoded", "")
"""Content types of CSV files. `curl --data-binary` and `curl -T` send the last two by default."""

_KEY = re.compile(r"^[\x20-\x7e]{1,255}$")


def submit_body(services: Services, id: str) -> Submitted:
    """Makes the job `id` of the request's body.

    Raises:
        UnsupportedType: no reader takes the content type. The others are those of the readers and of `services.jobs`.
    """
    readers = {
        "application/json": _json,
        "application/x-ndjson": _ndjson,
        "multipart/form-data": _multipart,
        **dict.fromkeys(FILE_TYPES, _csv),
    }
    if request.mimetype not in readers:
        taken = ", ".join(filter(None, readers))
        raise UnsupportedType(f"Content-Type {request.mimetype!r} is not supported; send one of {taken}.")
    return readers[request.mimetype](services, id)


def _json(services: Services, id: str) -> Submitted:
    body = parse(read_whole(services.settings))
    if not isinstance(body, Mapping):
        raise BodyShape.at("body", "must be a JSON object with `features` or `instances`")
    rest = {name: value for name, value in body.items() if name not in ("features", "instances")}
    if ("features" in body) == ("instances" in body):
        raise BodyShape.at("body", "must have either `features` (one row) or `instances` (many rows)")
    job_request = _request(services, read_options(rest))
    if "features" in body:
        if query_follow():
            raise OptionUnsuitable.at("follow", "is only for files; for one row use `wait`")
        return services.jobs.submit_row(job_request, row_values(body["features"], job_request.manifest), id)
    _refuse_dialect(job_request.options)
    rows = instances_csv(body["instances"], job_request.manifest)
    return services.jobs.submit_file(job_request, [rows], id, is_generated=True)


def _ndjson(services: Services, id: str) -> Submitted:
    job_request = _request(services, read_options(), filename=_filename())
    _refuse_dialect(job_request.options)
    rows = ndjson_csv(in_steps(read_blocks(services.settings)), services.settings.max_row_bytes)
    return services.jobs.submit_file(job_request, rows, id, is_generated=True)


def _csv(services: Services, id: str) -> Submitted:
    job_request, content = csv_input(services)
    return services.jobs.submit_file(job_request, content, id)


def csv_input(services: Services, pauses: Pauses | None = None) -> tuple[Request, Iterator[bytes]]:
    """Returns what a request with a CSV body asks for, and the CSV's bytes, which are read as they are needed."""
    options = read_options()
    if request.mimetype == TAB_SEPARATED and "delimiter" not in options.model_fields_set:
        options = options.model_copy(update={"delimiter": "\t"})
    if "encoding" not in options.model_fields_set:
        _refuse_charset(request.mimetype_params)
    job_request = _request(services, options, filename=_filename())
    return job_request, unpacked(read_blocks(services.settings, pauses=pauses), services.settings.max_upload_bytes)


def _multipart(services: Services, id: str) -> Submitted:
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise BrokenForm("The Content-Type `multipart/form-data` has no `boundary`. Let an HTTP library write it.")
    form = read_form(read_blocks(services.settings), boundary.encode())
    job_request = _request(services, read_options(form.fields), filename=form.filename)
    content, max_bytes = form.content, services.settings.max_upload_bytes
    if form.filename and form.filename.lower().endswith(".gz"):
        content = gunzip(content, max_bytes)
    return services.jobs.submit_file(job_request, unpacked(content, max_bytes), id)


def _request(services: Services, options: Options, filename: str | None = None) -> Request:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise OptionValue.at("Idempotency-Key", "must have 1 to 255 printable ASCII characters")
    manifest = services.default_model.resolve() if options.model is None else services.registry.resolve(options.model)
    if options.probabilities and not manifest.probabilities:
        raise OptionUnsuitable.at("probabilities", f"{manifest.name}@{manifest.version} does not return probabilities")
    if options.scores and manifest.scores is None:
        raise OptionUnsuitable.at("scores", f"{manifest.name}@{manifest.version} has no `decision_function`")
    return Request(manifest, options, g.owner, g.request_id, key, filename)


def _refuse_dialect(options: Options) -> None:
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
