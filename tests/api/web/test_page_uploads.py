"""Large files on the page, which are resumed after a lost connection."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from programs import ROOT, Stack
from proxy import Proxy

from rowcast.jobs.records.redis_keys import key

ROWS = 40_000
CSV = b"age,pclass,name\n" + b"".join(b"%d,3,passenger\n" % (number % 80) for number in range(ROWS))


def page_of(context: BrowserContext, retry_seconds: float = 0.1, **numbers: float) -> Page:
    """Returns the page with a script that takes each file for large, and has other constants."""
    script = (ROOT / "api" / "web" / "static" / "upload.js").read_text()
    for name, number in {"LARGE_BYTES": 1, "RETRY_SECONDS": retry_seconds, **numbers}.items():
        script = re.sub(f"{name} = [0-9* ]+;", f"{name} = {number};", script)
    page = context.new_page()
    page.route("**/static/*/upload.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.goto("/")
    return page


def choose(page: Page, body: bytes) -> None:
    page.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": body}])


def test_a_large_file_goes_on_where_its_connection_broke(browser: Browser, stack: Stack) -> None:
    proxy = Proxy(stack.port)
    context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
    page = page_of(context)
    choose(page, CSV)
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("upload-offset", "")))
    proxy.cut_after(len(CSV) // 2)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text(f"{ROWS:,} of {ROWS:,} rows done")).to_be_visible(timeout=60_000)
    # Chromium itself repeats a request whose connection broke, with the old offset, and gets 409 with the right one.
    answered = re.findall(rb"HTTP/1.1 204.*?Upload-Offset: (\d+)", proxy.answers, re.DOTALL)
    assert [offset for offset in sent if offset][-1].encode() == answered[-1], (
        "it went on where the service has no more bytes"
    )
    context.close()
    proxy.close()


@pytest.mark.parametrize("is_changed", [False, True], ids=["same", "changed"])
def test_a_large_file_that_is_chosen_again_after_a_reload_goes_on_if_it_is_the_same(
    browser: Browser, stack: Stack, tmp_path: Path, is_changed: bool
) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    proxy = Proxy(stack.port)
    context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
    page = page_of(context, retry_seconds=600)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_label("CSV file").set_input_files(tmp_path / "a.csv")
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    proxy.cut_after(len(CSV) // 2)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("Trying to go on")).to_be_visible()
    page.reload()
    if is_changed:
        time_ns = (tmp_path / "a.csv").stat().st_mtime_ns
        (tmp_path / "a.csv").write_bytes(CSV.replace(b",3,", b",1,"))
        os.utime(tmp_path / "a.csv", ns=(time_ns, time_ns))
    page.get_by_label("CSV file").set_input_files(tmp_path / "a.csv")
    with page.expect_request(lambda request: request.method == "PATCH") as sent:
        page.get_by_role("button", name="Predict", exact=True).click()
    assert (int(sent.value.headers["upload-offset"]) == 0) == is_changed
    expect(page.get_by_text(f"{ROWS:,} of {ROWS:,} rows done")).to_be_visible(timeout=60_000)
    assert is_changed or page.evaluate("Object.keys(sessionStorage)") == []
    context.close()
    proxy.close()


def test_why_the_service_takes_no_more_of_a_large_file_is_said(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url)
    page = page_of(context, retry_seconds=1)
    choose(page, CSV)
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    full = {"status": 503, "detail": 'The store "x" has no space left.'}
    page.route("**/uploads/*", lambda route: route.fulfill(status=503, json=full), times=1)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#upload-text")).to_have_text('The store "x" has no space left. Trying to go on …')
    expect(page.get_by_text(f"{ROWS:,} of {ROWS:,} rows done")).to_be_visible(timeout=60_000)
    context.close()


def test_a_large_file_whose_upload_is_lost_is_sent_once_more(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url)
    page = page_of(context)
    choose(page, CSV)
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "PATCH" and not lost:
            lost.append(route.request.url.rpartition("/")[2])
            stack.redis.delete(key("upload", lost[0]))  # as if Redis was emptied
        route.continue_()

    page.route("**/uploads/*", lose)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text(f"{ROWS:,} of {ROWS:,} rows done")).to_be_visible(timeout=60_000)
    assert lost
    context.close()


def test_a_large_file_that_is_wrong_says_so(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url)
    page = page_of(context)
    choose(page, b"Age,pclass\n25,3\n")
    expect(page.get_by_role("heading", name="This file does not fit")).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("'age' is missing")
    context.close()


@pytest.mark.parametrize("large_bytes", [1, 2**30], ids=["large", "small"])
def test_an_upload_on_a_silent_connection_says_so_and_goes_on(browser: Browser, stack: Stack, large_bytes: int) -> None:
    proxy = Proxy(stack.port)
    context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
    page = page_of(context, LARGE_BYTES=large_bytes, SILENCE_SECONDS=0.5)
    choose(page, CSV)
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    proxy.swallow_at(b"passenger", proxy.requests.count(b"passenger") + ROWS // 2)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#upload-text")).to_contain_text("Nothing more was sent for 0.5 s")
    proxy.forward()
    expect(page.get_by_text(f"{ROWS:,} of {ROWS:,} rows done")).to_be_visible(timeout=60_000)
    assert page.evaluate("Object.keys(sessionStorage)") == []
    context.close()
    proxy.close()
