"""A chosen file is not lost by links, and neither is what is typed next to it."""

import re

from playwright.sync_api import Page, Route, expect

FILE = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"age,pclass\n25,3\n"}


def test_a_chosen_file_and_a_typed_row_outlive_links_and_the_button_back(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    quiet.get_by_label(re.compile("^age")).fill("33")
    for name, heading in (("Jobs", "Jobs"), ("Docs", "API reference")):
        quiet.get_by_role("link", name=name, exact=True).click()
        expect(quiet.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    quiet.go_back()
    expect(quiet.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    quiet.go_back()
    expect(quiet.locator("#check")).to_contain_text("fits")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "a.csv"
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")


def test_a_link_to_the_page_that_is_shown_keeps_what_is_typed_and_chosen(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label(re.compile("^age")).fill("33")
    quiet.evaluate("document.getElementById('main').setAttribute('data-old', '')")
    quiet.get_by_role("link", name="Predict", exact=True).click()
    expect(quiet.locator("main[data-old]")).to_have_count(0)
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    quiet.evaluate("document.getElementById('main').setAttribute('data-old', '')")
    quiet.get_by_role("link", name="Rowcast", exact=True).click()
    expect(quiet.locator("main[data-old]")).to_have_count(0)
    expect(quiet.locator("#check")).to_contain_text("fits")


def test_an_upload_goes_on_while_other_pages_are_shown(quiet: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    quiet.route("**/predict?*", hold)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    with quiet.expect_request("**/predict?*"):
        quiet.get_by_role("button", name="Predict", exact=True).click()
    quiet.get_by_role("link", name="Models", exact=True).click()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    held[0].fulfill(status=202, body='{"id": "x"}')
    expect(quiet.locator("#news")).to_contain_text("a.csv is sent: see its job")


def test_what_is_typed_during_an_upload_is_not_interrupted(quiet: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    quiet.route("**/predict?*", hold)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    with quiet.expect_request("**/predict?*"):
        quiet.get_by_role("button", name="Predict", exact=True).click()
    quiet.get_by_label(re.compile("^age")).press("3")
    held[0].fulfill(status=202, body='{"id": "x"}')
    expect(quiet.get_by_role("link", name="a.csv is sent: see its job")).to_be_visible()
    quiet.keyboard.type("3")
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")
