"""The pages of the documentation in a browser."""

import re

import pytest
from axe_faults import axe_faults
from playwright.sync_api import Browser, Page, expect
from programs import ROOT, Stack, http_client

from api.web.pages import STATIC

LOADED = [f"/static/{file.name}" for file in STATIC.iterdir() if file.name not in ("paste.js", "row_form.js")]
"""What a page without forms loads."""

PATHS = [
    "/docs",
    "/docs/types",
    "/docs/settings",
    *sorted(f"/docs/{page.stem}" for page in (ROOT / "docs").glob("*.md")),
]


def test_axe_finds_nothing(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url, bypass_csp=True)
    page = context.new_page()
    for path in ("/docs", "/docs/api", "/docs/page", "/docs/quickstart"):
        page.goto(path)
        assert axe_faults(page) == "", path
    context.close()


def test_nothing_is_cut_off_on_a_phone_or_a_tablet(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url)
    page = context.new_page()
    for path in PATHS:
        page.goto(path)
        for width in (320, 660):
            page.set_viewport_size({"width": width, "height": 640})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


def test_without_javascript_the_reference_leads_to_a_call_and_to_every_page(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name="Docs").click()
    page.get_by_role("link", name="GET /jobs/{id}", exact=True).click()
    expect(page).to_have_url(re.compile("/docs#get-jobsid$"))
    expect(page.get_by_role("heading", name="GET /jobs/{id}", exact=True)).to_be_in_viewport()
    page.get_by_role("navigation", name="Documentation").get_by_role("link", name="Problems").click()
    expect(page.get_by_role("heading", name="missing-columns")).to_be_visible()
    page.get_by_text("All pages of the documentation").click()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    context.close()


def test_the_reference_leads_to_the_page_on_which_calls_are_tried(page: Page) -> None:
    page.goto("/docs")
    page.get_by_role("link", name="another page").click()
    expect(page.get_by_role("heading", name=re.compile("^Rowcast"))).to_be_visible()
    page.get_by_role("button", name=re.compile("GET .health")).first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.get_by_text('"API is running"').first).to_be_visible()


@pytest.mark.xdist_group("guarded pages")
def test_with_a_key_links_to_sections_still_work(guarded_page: tuple[Page, str]) -> None:
    page, secret = guarded_page
    page.goto("/")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("heading", name="Predict")).to_be_visible()
    page.get_by_role("link", name="Docs").click()
    page.get_by_role("link", name="Problems").first.click()
    expect(page.get_by_role("heading", name="missing-columns")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_a_page_of_the_documentation_is_small(stack: Stack) -> None:
    with http_client(stack.url) as http:
        http.headers["Accept-Encoding"] = "gzip"
        sent = {path: int(http.get(path).headers["Content-Length"]) for path in (*LOADED, *PATHS)}
    shared = sum(sent[path] for path in LOADED)
    assert all(sent[path] + shared < 49_000 for path in PATHS), sent
