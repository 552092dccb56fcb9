"""The documentation: `/openapi.json`, `/llms.txt`, and the pages below `/docs`. The package contains all files."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, current_app, json

from api.guide.guide_files import folder, sections, texts
from api.guide.llms_text import llms_text
from api.guide.markdown_html import rendered
from api.guide.reference import calls_markdown, types_markdown
from api.openapi.call_types import JSON, Answer, Call, documented
from api.openapi.document import openapi
from api.output.shared_files import shared_file, shared_response
from api.services import current_services
from api.url_prefix import prefix
from api.web.pages import html
from rowcast.errors import NotFound

blueprint = Blueprint("docs", __name__)

_PAGES = Path(str(files("api") / "pages"))
_SWAGGER = Path(str(files("flask_swagger_ui") / "dist"))
_FILES = {"try.js": _PAGES, "swagger-ui-bundle.js": _SWAGGER, "swagger-ui.css": _SWAGGER}
_HTML, _MARKDOWN = "text/html", "text/markdown"


@blueprint.get("/openapi.json")
@documented(Call("service", {200: Answer("This document.", {JSON: dict[str, Any]})}))
def document() -> Response:
    """Returns the API as OpenAPI 3.1."""
    return shared_response(json.dumps(_openapi(), sort_keys=False), JSON)


@blueprint.get("/llms.txt")
@documented(Call("service", {200: Answer("The list.", {"text/plain": None})}))
def llms() -> Response:
    """Returns a list of all pages of the documentation for language models, as llmstxt.org describes it."""
    text = llms_text(sections(_made()), prefix())
    return shared_response(text, "text/plain; charset=utf-8")


@blueprint.get("/docs")
@documented(Call("service", {200: Answer("The page.", {_HTML: None})}))
def reference() -> Response:
    """Returns the API reference as a page, with links to all other pages."""
    return _page("", calls_markdown(_openapi()), twin="/docs.md")


@blueprint.get("/docs.md")
@documented(Call("service", {200: Answer("The same as Markdown.", {_MARKDOWN: None})}))
def reference_markdown() -> Response:
    """Returns the API reference as Markdown."""
    return _markdown(calls_markdown(_openapi()))


@blueprint.get("/docs/try")
@documented(Call("service", {200: Answer("The page.", {_HTML: None})}))
def try_page() -> Response:
    """Returns a page to try the API out: Swagger UI."""
    return shared_file(_PAGES, "try.html")


@blueprint.get("/docs/<file>")
@documented(
    Call(
        "service",
        {200: Answer("The page or file.", dict.fromkeys((_HTML, _MARKDOWN, "text/css", "text/javascript")))},
        (NotFound,),
    )
)
def file(file: str) -> Response:
    """Returns a page of the documentation, the same as Markdown if `.md` is added, or a file that a page loads."""
    if file in _FILES:
        return shared_file(_FILES[file], file)
    name = file.removesuffix(".md")
    text = (texts() | _made()).get(name) or abort(404)
    return _markdown(text) if file.endswith(".md") else _page(name, text, twin=f"/docs/{name}.md")


@blueprint.get("/docs/pictures/<picture>")
@documented(Call("service", {200: Answer("The picture.", {"image/png": None, "image/svg+xml": None})}, (NotFound,)))
def picture(picture: str) -> Response:
    """Returns a picture of a page."""
    if not picture.endswith((".png", ".svg")):
        abort(404)
    return shared_file(folder() / "pictures", picture)


def _openapi() -> dict[str, Any]:
    return openapi(current_app, has_keys=current_services().keys is not None, prefix=prefix())


def _made() -> dict[str, str]:
    """Returns the pages that are made from the OpenAPI document, by name."""
    return {"types": types_markdown(_openapi())}


def _page(name: str, text: str, *, twin: str) -> Response:
    made = rendered(text)
    listed = sections(_made())
    text = html(
        "guide.html", title=made.title, html=made.html, name=name, twin=twin, sections=listed, unfolded=not name
    )
    return shared_response(text, f"{_HTML}; charset=utf-8")


def _markdown(text: str) -> Response:
    return shared_response(text, f"{_MARKDOWN}; charset=utf-8")
