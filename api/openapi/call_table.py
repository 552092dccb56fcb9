"""The table of calls: what each takes and answers, beside what its route, its view and the types already say."""

from typing import Any

from api.calls.events import Event
from api.calls.health import Health, Ready
from api.calls.jobs import MOST_JOBS, PAGE, Page
from api.calls.models import AliasTarget, Model, Models
from api.error_responses import HttpProblem
from api.input.option_parsing import MAX_WAIT_SECONDS
from api.openapi.body_types import Form, ManyRows, OneRow, options
from api.openapi.call_types import CSV, CSV_TYPES, JSON, NDJSON, PROBLEM, Answer, Call, header, query
from api.output.responses import Prediction
from rowcast import errors
from rowcast.jobs.job import RowResult
from rowcast.jobs.public_job import PublicJob
from rowcast.jobs.states import Status
from rowcast.models.model_manifest import Manifest

_LOOK = (errors.NotFound, errors.Gone, errors.Unavailable)
_BODY = (errors.Unreadable, errors.TooLarge, errors.UnsupportedType, errors.Unprocessable)
_MODELS = (errors.NotFound, errors.ModelRefused, errors.Unavailable)

_JOB = {JSON: PublicJob}
_WAIT = query(
    "wait", "Seconds for which the answer is held until the job has ended.",
    type="number", minimum=0, maximum=MAX_WAIT_SECONDS,
)  # fmt: skip

_FOLLOW = query(
    "follow", "`true`: the result of a batch at once, each part as soon as it and all before it are stored.",
    type="string", enum=["true", "false"],
)  # fmt: skip

CALLS = {
    "health.health": Call("service", {200: Answer("The gateway runs.", {JSON: Health})}),
    "health.ready": Call(
        "service",
        {
            200: Answer("A job would be served.", {JSON: Ready}),
            503: Answer("It would not be; the checks say why.", {JSON: Ready}),
        },
    ),
    "docs.document": Call("service", {200: Answer("This document.", {JSON: dict[str, Any]})}),
    "docs.page": Call("service", {200: Answer("The page.", {"text/html": None})}),
    "docs.problems": Call("service", {200: Answer("The page.", {"text/html": None})}),
    "docs.file": Call(
        "service", {200: Answer("The file.", {"text/css": None, "text/javascript": None})}, (errors.NotFound,)
    ),
    "predict.predict": Call(
        "jobs",
        {
            200: Answer(
                "A prediction; or the job, ended or made before; with `follow`, the result.",
                {JSON: Prediction | PublicJob, CSV: None},
            ),
            202: Answer("The job, which was made.", _JOB, ("Location", "Retry-After")),
        },
        (*_BODY, *_LOOK, errors.NotAcceptable, errors.WrongState, errors.ModelRefused),
        (
            *options(),
            _WAIT,
            _FOLLOW,
            header("Prefer", "`wait=SECONDS` (RFC 7240), as `?wait=`."),
            header("Idempotency-Key", "Makes it safe to repeat for 24 hours.", pattern=r"^[\x20-\x7e]{1,255}$"),
            header("Content-Encoding", "The body is gzipped.", enum=["gzip"]),
            header("Content-Disposition", 'Names a body that is no form: `attachment; filename="trip.csv"`.'),
        ),
        {JSON: OneRow | ManyRows, **dict.fromkeys(CSV_TYPES), NDJSON: None, "multipart/form-data": Form},
        {JSON: {"features": [25, 3]}, CSV: "age,pclass\n25,3\n", NDJSON: '{"age": 25, "pclass": 3}\n'},
    ),
    "jobs.list_jobs": Call(
        "jobs",
        {200: Answer("A page of jobs.", {JSON: Page})},
        (errors.Unprocessable, errors.Unavailable),
        (
            query("status", "Jobs of one status alone.", type="string", enum=[str(one) for one in Status.public()]),
            query("limit", "Jobs on a page.", type="integer", minimum=1, maximum=MOST_JOBS, default=PAGE),
            query("cursor", "Where the page begins: `next` of the one before has it.", type="string"),
        ),
    ),
    "jobs.get_job": Call("jobs", {200: Answer("The job.", _JOB)}, (*_LOOK, errors.Unprocessable), (_WAIT,)),
    "jobs.cancel_job": Call("jobs", {202: Answer("The job.", _JOB)}, (*_LOOK, errors.WrongState)),
    "jobs.retry_job": Call("jobs", {202: Answer("The job.", _JOB)}, (*_LOOK, errors.WrongState)),
    "jobs.delete_job": Call("jobs", {204: Answer("It is gone.")}, _LOOK),
    "results.get_result": Call(
        "jobs",
        {
            200: Answer("The result.", {JSON: RowResult, CSV: None}, ("ETag", "Content-Disposition")),
            206: Answer("A range of a batch's result.", {CSV: None}, ("ETag", "Content-Range")),
            416: Answer("The range begins beyond its end.", {PROBLEM: HttpProblem}, ("Content-Range",)),
        },
        (*_LOOK, errors.NotAcceptable, errors.WrongState, errors.ResultLost, errors.Unprocessable),
        (_FOLLOW, header("Range", "`bytes=FIRST-LAST`, of a batch's result; either may be missing.")),
    ),
    "results.get_errors": Call(
        "jobs",
        {200: Answer("`row,column,value,message`", {CSV: None}, ("Content-Disposition",))},
        (*_LOOK, errors.WrongState, errors.ResultLost),
    ),
    "events.get_events": Call("jobs", {200: Answer("One at each change.", {"text/event-stream": Event})}, _LOOK),
    "models.list_models": Call("models", {200: Answer("Every model.", {JSON: Models})}, _MODELS),
    "models.get_model": Call("models", {200: Answer("The model.", {JSON: Model})}, _MODELS),
    "models.get_version": Call("models", {200: Answer("Its manifest.", {JSON: Manifest})}, _MODELS),
    "models.put_alias": Call(
        "models",
        {200: Answer("The model.", {JSON: Model})},
        (*_BODY, *_MODELS, errors.Forbidden),
        bodies={JSON: AliasTarget},
        examples={JSON: {"version": "1"}},
    ),
}  # fmt: skip
"""By Flask's endpoint; a test holds that every route is here, and no other."""
