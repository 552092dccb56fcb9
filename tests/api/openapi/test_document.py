"""The OpenAPI document is true: every route is in it, and the gateway's responses agree with it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from programs import ROOT, SUPPORT, Stack

from api.app import create_app
from api.calls.predict import predict
from api.error_responses import public_types
from api.openapi.call_types import call_of
from api.web.paths import is_page
from rowcast import api_keys
from rowcast.api_keys import Role
from rowcast.settings import Settings

EXAMPLES, EXAMPLES_WITH_KEY = 6, 2
"""Examples of each call and each check."""


@pytest.fixture(scope="module")
def guarded(make_stack: Callable[..., Stack]) -> Stack:
    """Starts the service with API keys."""
    stack = make_stack(ROWCAST_RATE_LIMIT="1000000")
    stack.environment["ROWCAST_API_KEYS_FILE"] = str(stack.folder / "keys")
    stack.environment["ADMIN"] = api_keys.new(stack.folder / "keys", "root", Role.ADMIN)
    stack.start_gateway()
    stack.start_worker(concurrency=1)
    return stack


def call_all(stack: Stack, key: str | None = None) -> None:
    """Calls the gateway with what the document allows and with what it does not, the same calls in every run.

    Bodies that the document allows may still be refused, because a model only accepts rows with its columns.
    """
    # With a key in every call, calls that should fail without one succeed: tests/api/test_auth.py checks these.
    # The phase that tries every limit of every parameter is left out: keys change nothing about parameters.
    with_key = [
        f"--header=X-API-Key: {key}",
        "--exclude-checks=positive_data_acceptance,ignored_auth",
        "--phases=examples,fuzzing,stateful",
    ]
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{stack.url}/openapi.json",
        "--suppress-health-check=all", "--warnings=off",
        "--generation-deterministic", f"--max-examples={EXAMPLES_WITH_KEY if key else EXAMPLES}", "--no-color",
        *(with_key if key else ["--exclude-checks=positive_data_acceptance"]),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"}
    done = subprocess.run(command, cwd=stack.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_view_has_an_openapi_entry(settings: Settings) -> None:
    app = create_app(settings)
    for rule in app.url_map.iter_rules():
        assert is_page(rule.rule) or call_of(app.view_functions[rule.endpoint]).answers, rule.endpoint


def test_a_view_without_an_entry_is_named() -> None:
    def view() -> str:
        return ""

    with pytest.raises(LookupError, match=r"test_document\.view has no OpenAPI entry"):
        call_of(view)


def test_the_document_is_openapi_and_speaks_of_keys_only_where_there_are_any(stack: Stack, guarded: Stack) -> None:
    from openapi_spec_validator import validate  # it takes long to import, and one process needs it

    of_open, of_guarded = (httpx.get(f"{one.url}/openapi.json").json() for one in (stack, guarded))
    validate(of_guarded)  # it has all of the other, too
    body = of_open["webhooks"]["job_ended"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == of_open["paths"]["/jobs/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert not {"401", "429"} & of_open["paths"]["/jobs"]["get"]["responses"].keys()
    assert {"401", "429"} <= of_guarded["paths"]["/jobs"]["get"]["responses"].keys()
    assert "security" in of_guarded["paths"]["/predict"]["post"]
    assert "security" not in of_guarded["paths"]["/health"]["get"]


def test_what_the_service_answers_agrees_with_the_document(stack: Stack) -> None:
    call_all(stack)


def test_what_it_answers_with_keys_agrees_with_the_document(guarded: Stack) -> None:
    call_all(guarded, guarded.environment["ADMIN"])


def test_the_page_shows_every_call_in_a_browser_that_obeys_its_policy(guarded: Stack, browser: Browser) -> None:
    policy = httpx.get(f"{guarded.url}/docs/try").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    document = httpx.get(f"{guarded.url}/openapi.json").json()
    with browser.new_context() as context:
        page, said = context.new_page(), []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{guarded.url}/docs/try")
        last = page.locator(f'.opblock-summary-path[data-path="{[*document["webhooks"]][-1]}"]')
        last.wait_for()
        shown = page.locator(".opblock-summary-path").evaluate_all("all => all.map((one) => one.dataset.path)")
    assert sorted(set(shown)) == sorted([*document["paths"], *document["webhooks"]])
    assert said == [], "the page broke its policy, or a script failed"


def test_the_page_loads_nothing_from_elsewhere_and_nobody_may_frame_it(guarded: Stack) -> None:
    headers = httpx.get(f"{guarded.url}/docs/try").headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "'self' data:"
    assert {name for name, sources in policy.items() if sources == "'self'"} == {
        "script-src",
        "style-src",
        "connect-src",
        "form-action",
    }
    assert {name for name, sources in policy.items() if sources == "'none'"} == {
        "default-src", "base-uri", "frame-ancestors",
    }  # fmt: skip
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    for path in ("/openapi.json", "/health", "/nowhere", "/docs/nothing"):
        assert httpx.get(f"{guarded.url}{path}").headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_of_problems_has_every_type_where_help_leads(guarded: Stack) -> None:
    problem = httpx.get(f"{guarded.url}/nowhere").json()
    page = httpx.get(f"{guarded.url}{problem['help']}")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    slugs = {kind.slug for kinds in public_types().values() for kind in kinds}
    assert set(re.findall(r'<h3 id="([\w-]+)">', page.text)) == slugs
    assert problem["type"].removeprefix("urn:rowcast:problem:") in slugs
    assert not re.search(r"<script>|style=|<style", page.text), "its policy forbids them"


def test_the_document_lists_the_content_types_that_the_gateway_names(stack: Stack) -> None:
    refused = httpx.post(f"{stack.url}/predict", content=b"{}", headers={"Content-Type": "image/png"})
    named = re.search(r"send one of (.+)\.$", refused.json()["detail"])
    assert refused.status_code == 415
    assert named is not None
    # curl's default content type is accepted, but a client made from the document would send form fields under it.
    taken = set(named[1].split(", ")) - {"application/x-www-form-urlencoded"}
    assert set(call_of(predict).bodies) == taken


def test_the_document_lists_the_types_of_each_status(stack: Stack) -> None:
    responses = httpx.get(f"{stack.url}/openapi.json").json()["components"]["responses"]
    for status, kinds in public_types().items():
        assert all(f"`{kind.problem_type()}`" in responses[f"Problem{status}"]["description"] for kind in kinds)


def test_pages_and_their_files_come_with_the_package(guarded: Stack) -> None:
    html = httpx.get(f"{guarded.url}/docs/try").text
    loaded = re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', html)
    assert len(loaded) == 3
    for file in loaded:
        answer = httpx.get(f"{guarded.url}/docs/{file}")
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert not re.search(r"//", (ROOT / "api" / "pages" / "try.html").read_text()), "nothing from elsewhere"
    for file in ("try.html", "..%2fapp.py", "%2e%2e/app.py", "swagger-ui.js"):
        assert httpx.get(f"{guarded.url}/docs/{file}").status_code == 404
