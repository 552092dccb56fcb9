"""`/openapi.json` and `/docs`: the API as a document, and a page to try it out. The package contains all files."""

from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, abort, current_app, json, send_from_directory

from api.calls.error_pages import page as problem_page
from api.openapi.call_types import JSON, Answer, Call, documented
from api.openapi.document import openapi
from api.services import current_services
from api.url_prefix import prefix
from rowcast.errors import NotFound

blueprint = Blueprint("docs", __name__)

_PAGES = files("api") / "pages"
_SWAGGER = files("flask_swagger_ui") / "dist"
_FILES = {"docs.js": _PAGES, "errors.css": _PAGES, "swagger-ui-bundle.js": _SWAGGER, "swagger-ui.css": _SWAGGER}
_HTML = "text/html"


@blueprint.get("/openapi.json")
@documented(Call("service", {200: Answer("This document.", {JSON: dict[str, Any]})}))
def document() -> Response:
    """Returns the API as OpenAPI 3.1."""
    described = openapi(current_app, has_keys=current_services().keys is not None, prefix=prefix())
    return Response(json.dumps(described, sort_keys=False), content_type="application/json")


@blueprint.get("/docs")
@documented(Call("service", {200: Answer("The page.", {_HTML: None})}))
def page() -> Response:
    """Returns a page to try the API out."""
    return send_from_directory(str(_PAGES), "docs.html")


@blueprint.get("/docs/errors")
@documented(Call("service", {200: Answer("The page.", {_HTML: None})}))
def problems() -> Response:
    """Returns a page about every type of problem, with its cause and what to do."""
    return Response(problem_page(), content_type="text/html; charset=utf-8")


@blueprint.get("/docs/<file>")
@documented(Call("service", {200: Answer("The file.", {"text/css": None, "text/javascript": None})}, (NotFound,)))
def file(file: str) -> Response:
    """Returns a file that the pages load."""
    folder = _FILES.get(file)
    return send_from_directory(str(folder), file) if folder else abort(404)
