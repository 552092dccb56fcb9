"""`/models/NAME/actuals`: takes what became true, and returns how good the predictions were over time."""

from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, g, jsonify, request

from api.input.content_sniffing import Unpacked
from api.input.filter_parsing import read_filter
from api.input.option_parsing import WAIT, preferred_wait, query_wait
from api.input.request_body import BODY_ERRORS, read_blocks
from api.input.request_input import FILE_TYPES, new_request
from api.openapi.call_types import CSV, JSON, Answer, Call, documented, query
from api.output.job_answer import answer_to_new, answer_to_replayed, log_submitted
from api.output.responses import LOOKUP_ERRORS, own_job
from api.services import current_services
from rowcast.csv import scan
from rowcast.csv.header import Header, check_header
from rowcast.errors import (
    EmptyFile,
    ModelRefused,
    NoResult,
    NotFound,
    NotText,
    OptionUnsuitable,
    OptionValue,
    Unavailable,
    UnknownModel,
    UnsupportedType,
    WrongState,
)
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.actuals.actuals_query import ActualsQuery
from rowcast.jobs.actuals.actuals_records import ActualsRecords
from rowcast.jobs.actuals.actuals_report import ActualsReport, MetricsOverTime
from rowcast.jobs.options import Options
from rowcast.jobs.public_job import PublicJob
from rowcast.models.model_manifest import Manifest

blueprint = Blueprint("actuals", __name__, url_prefix="/models")

_MOST_HEADER_BYTES = 1 << 20
"""A header line may be this long."""

_MEASURED = ("classification", "regression")
"""Tasks whose predictions can be compared with a truth."""


@blueprint.post("/<name>/actuals")
@documented(
    Call(
        "models",
        {
            200: Answer("The job, if it was waited for and has ended.", {JSON: PublicJob}),
            202: Answer("The new job.", {JSON: PublicJob}, ("Location", "Retry-After")),
        },
        (*BODY_ERRORS, NotFound, ModelRefused, OptionValue, OptionUnsuitable, Unavailable, WrongState),
        (
            query("key", "The columns of the key, with commas; else those of the newest job's `key`.", type="string"),
            query("truth", "The column with what became true; else the model's target.", type="string"),
            query("since", "Only jobs that were made then or later.", type="string"),
            query("until", "Only jobs that were made before.", type="string"),
            query("delimiter", "What separates the fields.", type="string", minLength=1, maxLength=1),
            WAIT,
        ),
        dict.fromkeys((CSV,)),
        {CSV: "id,survived\n1,0\n2,1\n"},
    )
)
def send_actuals(name: str) -> Response:
    """Takes a CSV of key and truth, and makes a job in which a worker joins it with the results of past jobs.

    The metrics are in `GET /models/NAME/actuals` when the job has succeeded.
    """
    services, wait = current_services(), query_wait() or preferred_wait() or 0.0
    if request.mimetype not in FILE_TYPES:
        raise UnsupportedType("Send the actuals as CSV, with `Content-Type: text/csv`.")
    asked, id = _asked(_model(name)), new_id()
    sent = new_request(services, Options(model=name, tags={"actuals": name}))
    blocks = _checked(iter(Unpacked(read_blocks(services.settings), services.settings.max_upload_bytes)), asked)
    with services.notifications.expect(id) as waiter:
        submitted = services.jobs.submit_actuals(sent, blocks, asked, id)
        log_submitted(submitted)
        if not submitted.replayed:
            return answer_to_new(services, submitted.new, waiter, wait)
    return answer_to_replayed(services, submitted, wait)


@blueprint.get("/<name>/actuals")
@documented(
    Call(
        "models",
        {200: Answer("The metrics, or with `job` what one file has led to.", {JSON: MetricsOverTime | ActualsReport})},
        (*LOOKUP_ERRORS, ModelRefused, NoResult),
        (query("job", "The job of one file of actuals.", type="string"),),
    )
)
def get_actuals(name: str) -> Response:
    """Returns how good the predictions of a model were, by day and version."""
    services, id = current_services(), request.args.get("job")
    _model(name)
    if not id:
        return jsonify({"model": name, "days": ActualsRecords(services.redis, services.files.storage).read(name)})
    job = own_job(id)
    if job.spec.actuals is None or job.spec.actuals.model != name:
        raise NoResult(f"Job {job.id} is not one of actuals of {name}.")
    try:
        return Response(services.files.get_actuals(job.id), mimetype=JSON)
    except FileNotFoundError:
        raise NoResult(f"Job {job.id} has no report of actuals: it is {job.status}.") from None


def _model(name: str) -> Manifest:
    """Returns the version that the name means now. Raises UnknownModel, also for a version or an alias."""
    found = current_services().registry.resolve(name)
    if found.name != name:
        raise UnknownModel(f"Actuals belong to a model, not to a version: use {found.name!r}.")
    return found


def _checked(blocks: Iterator[bytes], asked: ActualsQuery) -> Iterator[bytes]:
    """Returns the blocks of a file whose header line has been checked.

    Raises:
        EmptyFile: it has none. MissingColumns: a column is not there. NotText: the header is not UTF-8.
    """
    head = b""
    for block in blocks:
        head += block
        line, end, _ = head.lstrip(b"\r\n").partition(b"\n")
        if (end and line.count(b'"') % 2 == 0) or len(head) > _MOST_HEADER_BYTES:
            break
    line = head.lstrip(b"\r\n").partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r")
    if not line:
        raise EmptyFile.at("file", "is empty; it needs a header line, and rows of key and truth")
    try:
        header = Header.read(line, scan.fields(line, asked.delimiter), asked.delimiter)
    except UnicodeDecodeError:
        raise NotText.at("header", "is not UTF-8") from None
    check_header(header, [*asked.key, asked.truth], (), ())
    return chain([head], blocks)


def _asked(manifest: Manifest) -> ActualsQuery:
    given = request.args
    if manifest.task not in _MEASURED or manifest.outputs is not None:
        raise OptionUnsuitable.at("model", "only classifiers and regressors with one output can be measured")
    key = tuple(filter(None, map(str.strip, given.get("key", "").split(","))))
    truth = given.get("truth") or manifest.training.get("target")
    if not isinstance(truth, str):
        raise OptionValue.at("truth", f"names the column with what became true; {manifest.reference} knows no target")
    delimiter = given.get("delimiter", ",")
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise OptionValue.at("delimiter", "must be one ASCII character, for example ;")
    times = read_filter({name: given[name] for name in ("since", "until") if name in given})
    return ActualsQuery(
        model=manifest.name,
        key=key,
        truth=truth,
        delimiter=delimiter,
        since_ms=times.since_ms,
        until_ms=times.until_ms,
        owner=g.scope,
    )
