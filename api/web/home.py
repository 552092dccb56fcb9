"""The first page: send a file or type one row, see the check, and the newest jobs."""

import time
from typing import Any

from flask import Blueprint, Response, g, request

from api.checking.file_check import check_of
from api.error_responses import problem
from api.input.request_input import FileInput, RowInput, form_input, read_input, received_form, typed_row
from api.output.early_response import close_after
from api.output.responses import wait_for_end
from api.output.shared_files import UNCHANGING, VALIDATED, shared_file
from api.services import Services, current_services
from api.url_prefix import prefix
from api.web.option_form import filled, form_groups, option_faults
from api.web.pages import STATIC, page, problem_of, static_version
from rowcast.errors import NoDefaultModel, RowcastError, Unavailable
from rowcast.jobs.actions.submit import new_id
from rowcast.models.model_manifest import Manifest

blueprint = Blueprint("web", __name__, template_folder="templates")

_NEWEST = 5
_ROW_WAIT_SECONDS = 10
_MODEL_FIELD = ":model"
"""The field of the row form that names the model; a feature may be called `model`."""

_FEATURE = "f:"
"""In front of a feature's name: its field. A script finds a form's field `after` in the place of the form's own."""


@blueprint.get("/")
def home() -> Response:
    """Returns the page on which a file is sent or a row is typed: one of the model that the address may name."""
    return _home(chosen=request.args.get("model"))


@blueprint.get("/static/<file>")
@blueprint.get("/static/<version>/<file>")
def static_file(file: str, version: str = "") -> Response:
    """Returns a file that the pages load. A browser keeps it if its address has the version that the pages name."""
    return shared_file(STATIC, file, UNCHANGING if version == static_version() else VALIDATED)


@blueprint.post("/ui/check")
def check_file() -> Response:
    """Checks the beginning of a file, and returns the part of the page that shows what was found."""
    services = current_services()
    try:
        source = read_input(services)
        found = check_of(services, source) if isinstance(source, FileInput) else None
    except RowcastError as error:
        return page("problem.html", problem=problem_of(error))
    return page("check.html", check=found)


@blueprint.post("/ui/predict")
def send_file() -> Response:
    """Makes a job of the file in a form, and leads to the job's page."""
    services = current_services()
    given: dict[str, str] = {}
    try:
        form = received_form(services)
        form.fields = given = filled(form.fields)
        submitted = form_input(services, form).submit(services, new_id())
    except RowcastError as error:
        refused = problem_of(error)
        response = _home(refused["status"], problem=refused, given=given)
        close_after(response)
        return response
    return to(f"/ui/jobs/{submitted.id}")


@blueprint.get("/ui", strict_slashes=False)
@blueprint.get("/ui/predict")
@blueprint.get("/ui/row")
def form_again() -> Response:
    """Leads to the page with the forms: a phone that closed a tab meanwhile asks for the address of its answer.

    The shortened address of another page, `/ui`, leads there too.
    """
    return to("/")


@blueprint.post("/ui/row")
def send_row() -> Response:
    """Predicts the one row that was typed into the form."""
    services, fields = current_services(), request.form
    reference = fields.get(_MODEL_FIELD, "")
    typed = {name.removeprefix(_FEATURE): text for name, text in fields.items() if name.startswith(_FEATURE)}
    try:
        outcome = _predicted(services, typed_row(services, reference, typed))
    except RowcastError as error:
        refused = problem_of(error)
        return _home(refused["status"], row_problem=refused, typed=typed, chosen=reference)
    return _home(outcome=outcome, typed=typed, chosen=reference)


def to(path: str) -> Response:
    """Returns a redirect after a form, so that reloading the page does not send the form again."""
    response = Response(status=303)
    response.headers["Location"] = prefix() + path
    return response


def _predicted(services: Services, row: RowInput) -> dict[str, Any]:
    """Returns the job of a row with its outcome: `result`, or the `problem` that ended it."""
    id = new_id()
    with services.notifications.expect(id) as waiter:
        row.submit(services, id)
        job = wait_for_end(services, id, waiter, time.monotonic() + _ROW_WAIT_SECONDS)
    return {"id": id, "result": job.result, "problem": job.error and problem(job.error, prefix())}


def _home(status: int = 200, **values: Any) -> Response:
    services = current_services()
    manifest, models, reason = _models(services, values.get("chosen"))
    try:
        jobs, _ = services.jobs.page(_NEWEST, owner=g.scope)
        workers = services.workers.count()
    except Unavailable as error:
        jobs, workers, reason = [], 0, error.detail
    given, faults = values.get("given", {}), option_faults(values.get("problem"))
    form = {"given": given, "faults": faults, "groups": form_groups(given, faults)}
    form |= {"model_field": _MODEL_FIELD, "feature_field": _FEATURE}
    shown = {"manifest": manifest, "models": models, "jobs": jobs, "workers": workers, "reason": reason}
    return page("home.html", status, **{**shown, **form, **values})


def _models(services: Services, chosen: str | None) -> tuple[Manifest | None, list[str], str | None]:
    """Returns the manifest of a model, the names of all, and why there is none.

    It is the chosen model, or the default one. If no setting names that, it may be the first of the form's list.
    """
    names: list[str] = []
    try:
        names = services.registry.names()
        if chosen:
            return services.registry.resolve(chosen), names, None
        try:
            return services.default_model.resolve(), names, None
        except NoDefaultModel:
            if not names or not services.default_model.may_be_another:
                raise
        return services.registry.resolve(names[0]), names, None
    except RowcastError as error:
        return None, names, error.detail
