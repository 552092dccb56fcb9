"""The application factory."""

from flask import Flask
from werkzeug.routing import BaseConverter

from api import error_responses, request_hooks
from api.calls import (
    docs,
    events,
    health,
    job_progress,
    jobs,
    models,
    predict,
    queue_state,
    receipts,
    repair,
    results,
    resumable,
)
from api.doors import open_inference, openai_batches, openai_files, scoring_server
from api.measuring import actuals
from api.metrics import calls as metrics
from api.services import build
from api.url_prefix import strip_url_prefix
from api.web import home, job_pages, model_pages, pages, queue_page
from rowcast.settings import Settings


class JobConverter(BaseConverter):
    """Takes a job's id in a path, as text: whatever stands there, except for the name of the bulk actions' path."""

    regex = "(?!actions$)[^/]+"
    part_isolating = True


def create_app(settings: Settings) -> Flask:
    """Returns the gateway as a WSGI application. Redis need not be reachable yet, but the store must be.

    Raises:
        Unavailable: the store or the registry cannot be opened.
    """
    app = Flask("api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["rowcast"] = build(settings)
    request_hooks.register(app)
    error_responses.register(app)
    app.url_map.converters["job"] = JobConverter
    pages.register(app)
    files = (predict, resumable, results, repair, receipts)
    calls = (health, docs, *files, jobs, events, job_progress, queue_state, models, actuals, metrics)
    doors = (open_inference, scoring_server, openai_files, openai_batches)
    for module in (*calls, *doors, home, job_pages, model_pages, queue_page):
        app.register_blueprint(module.blueprint)
    app.wsgi_app = strip_url_prefix(settings, app.wsgi_app)  # type: ignore[assignment,method-assign]
    return app
