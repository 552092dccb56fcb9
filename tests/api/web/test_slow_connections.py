"""Slow connections, on which the script comes late, and lost ones, which say nothing more."""

import re

import pytest
from held_requests import hold_requests
from playwright.sync_api import Browser, Page, expect
from programs import Stack, http_client, until
from proxy import Proxy
from scored import submit

AGE = re.compile("^age")
SMALL = b"age,pclass\n25,3\n"
LOST = re.compile("The service cannot be reached")


def _open_without_script(page: Page, path: str, script: str = "**/navigation.js") -> None:
    hold_requests(page, script)
    with page.expect_request(script):
        page.goto(path, wait_until="commit")


def _let_script_come(page: Page, script: str = "**/navigation.js") -> None:
    page.unroute(script)  # which continues what is held
    expect(page.locator("html.script")).to_be_attached()


def test_what_is_typed_and_chosen_before_the_script_has_come_outlives_a_link(quiet: Page) -> None:
    _open_without_script(quiet, "/")
    quiet.locator("summary", has_text="Result").click()
    quiet.get_by_label("Add the probability").check()
    quiet.get_by_label("Decimal").evaluate("field => { field.closest('details').open = true; }")
    quiet.get_by_label("Decimal").select_option(index=1)
    quiet.get_by_label(AGE).fill("33")
    quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    _let_script_come(quiet)
    quiet.get_by_role("link", name="Models", exact=True).click()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    quiet.go_back()
    expect(quiet.locator("#check")).to_contain_text("fit")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "a.csv"
    expect(quiet.get_by_label(AGE)).to_have_value("33")
    expect(quiet.get_by_label("Add the probability")).to_be_checked()
    assert quiet.get_by_label("Decimal").evaluate("field => field.selectedIndex") == 1


def test_a_filter_that_is_typed_before_the_script_has_come_outlives_the_refresh(quiet: Page, gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        ids = [submit(http, "titanic", SMALL)]
        _open_without_script(quiet, "/ui/jobs")
        quiet.get_by_label("Tag").fill("run:kept")
        quiet.get_by_label("Every job that matches").select_option("delete")
        quiet.get_by_role("heading", name="Jobs").click()  # the fields lose the focus, and the page refreshes
        quiet.evaluate("document.getElementById('main').setAttribute('data-old', '')")
        _let_script_come(quiet)
        ids.append(submit(http, "titanic", SMALL))
        expect(quiet.locator("main[data-old]")).to_have_count(0)
        expect(quiet.get_by_label("Tag")).to_have_value("run:kept")
        expect(quiet.get_by_label("Every job that matches")).to_have_value("delete")
        assert [http.delete(f"/jobs/{id}").status_code for id in ids] == [204, 204]


@pytest.mark.parametrize("place", ["/ui/jobs", ""])
def test_a_page_says_that_its_connection_is_silent_and_goes_on(browser: Browser, gateway: Stack, place: str) -> None:
    proxy = Proxy(gateway.port)
    context = browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
    page = context.new_page()
    page.clock.install()
    with http_client(gateway.url) as http:
        id = submit(http, "titanic", SMALL)
        with page.expect_response(f"**{place or '/events'}"):
            page.goto(place or f"/ui/jobs/{id}")
        expect(page.locator("html.script")).to_be_attached()
        proxy.swallow()
        page.clock.run_for(24_000)
        expect(page.locator("#lost")).to_have_text(LOST)
        proxy.forward()
        until(lambda: _is_found(page), "the page is followed by another connection")
        http.delete(f"/jobs/{id}")
    context.close()
    proxy.close()


def _is_found(page: Page) -> bool:
    page.clock.run_for(5000)  # the browser may use other connections first that are as silent
    return page.locator("#lost").is_hidden()
