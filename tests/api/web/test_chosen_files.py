"""A chosen file is not lost by links, and neither is what is typed next to it."""

import re

from held_requests import hold_requests
from playwright.sync_api import Page, Route, expect

AGE = re.compile("^age")
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


def test_a_chosen_file_and_a_typed_row_are_there_at_the_next_visit_until_the_file_is_sent(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    quiet.get_by_label(AGE).fill("33")
    quiet.locator("summary", has_text="Job").click()
    quiet.get_by_label("Tags").fill("run:nightly")
    for name in ("Jobs", "Predict"):
        quiet.get_by_role("link", name=name, exact=True).click()
        expect(quiet.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(quiet.locator("#check")).to_contain_text("fits")
    expect(quiet.get_by_label("Tags")).to_have_value("run:nightly")
    expect(quiet.get_by_label(AGE)).to_have_value("33")
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("heading", name="a.csv")).to_be_visible()
    quiet.get_by_role("link", name="Predict", exact=True).click()
    expect(quiet.get_by_label(AGE)).to_have_value("33")
    expect(quiet.get_by_label("Tags")).to_have_value("")
    assert quiet.evaluate("document.getElementById('file').files.length") == 0


def begin_upload(page: Page) -> list[Route]:
    """Sends a file whose request is held, and returns the list of held requests."""
    held = hold_requests(page, "**/predict?*")
    page.goto("/")
    page.get_by_label("CSV file").set_input_files([FILE])
    with page.expect_request("**/predict?*"):
        page.get_by_role("button", name="Predict", exact=True).click()
    return held


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
    held = begin_upload(quiet)
    quiet.get_by_role("link", name="Models", exact=True).click()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    held[0].fulfill(status=202, body='{"id": "x"}')
    expect(quiet.locator("#news")).to_contain_text("a.csv is sent: see its job")


def test_what_is_typed_during_an_upload_is_not_interrupted(quiet: Page) -> None:
    held = begin_upload(quiet)
    quiet.get_by_label(re.compile("^age")).press("3")
    held[0].fulfill(status=202, body='{"id": "x"}')
    expect(quiet.get_by_role("link", name="a.csv is sent: see its job")).to_be_visible()
    quiet.keyboard.type("3")
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")


def test_what_is_typed_and_chosen_while_the_button_back_loads_its_page_is_kept(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    for name, heading in (("Models", "Models"), ("Predict", "Predict")):
        quiet.get_by_role("link", name=name, exact=True).click()
        expect(quiet.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    held = hold_requests(quiet, "**/ui/models")
    with quiet.expect_request("**/ui/models"):
        quiet.evaluate("history.back()")
    quiet.get_by_label(AGE).fill("33")
    quiet.get_by_label(re.compile("^pclass")).fill("2")
    quiet.get_by_label("CSV file").set_input_files([{**FILE, "name": "b.csv"}])
    held[0].continue_()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    quiet.go_forward()
    expect(quiet.get_by_label(AGE)).to_have_value("33")
    expect(quiet.get_by_label(re.compile("^pclass"))).to_have_value("2")
    expect(quiet.locator("#check")).to_contain_text("fits")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "b.csv"


def test_a_button_back_without_a_network_leads_nowhere_and_costs_nothing(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    for name in ("Models", "Predict"):
        quiet.get_by_role("link", name=name, exact=True).click()
        expect(quiet.get_by_role("heading", name=name, exact=True)).to_be_visible()
    quiet.context.set_offline(True)
    quiet.evaluate("history.back()")
    expect(quiet.locator("#lost")).to_contain_text("could not be loaded")
    expect(quiet).to_have_url(re.compile("/$"))
    quiet.get_by_label(AGE).fill("33")
    quiet.context.set_offline(False)
    quiet.get_by_role("link", name="Jobs", exact=True).click()
    expect(quiet.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    quiet.go_back()
    expect(quiet.get_by_label(AGE)).to_have_value("33")


def test_a_row_that_is_typed_after_a_link_within_the_page_outlives_a_reload(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_role("link", name="Skip to the content").focus()
    quiet.keyboard.press("Enter")
    quiet.get_by_label(AGE).fill("33")
    quiet.reload()
    expect(quiet.get_by_label(AGE)).to_have_value("33")


def test_an_upload_is_shown_again_when_its_page_is(quiet: Page) -> None:
    held = begin_upload(quiet)
    quiet.get_by_role("link", name="Models", exact=True).click()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    quiet.get_by_role("link", name="Sending a.csv …").click()
    expect(quiet.locator("#upload-text")).to_have_text("Sending a.csv …")
    expect(quiet.locator("#news")).to_be_hidden()
    quiet.go_back()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()
    quiet.go_back()
    expect(quiet.locator("#upload-text")).to_have_text("Sending a.csv …")
    expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
    held[0].continue_()
    expect(quiet.get_by_role("heading", name="a.csv")).to_be_visible()


def test_a_link_out_of_the_page_opens_a_tab_while_a_file_is_chosen(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    quiet.get_by_role("link", name="Docs", exact=True).click()
    with quiet.expect_popup() as opened:
        quiet.locator("main a[href='docs/try']").first.click()
    expect(opened.value).to_have_url(re.compile("/docs/try$"))
    quiet.go_back()
    expect(quiet.locator("#check")).to_contain_text("fits")


def test_a_refusal_leads_to_the_page_about_it(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([{**FILE, "buffer": b"a,b\n1,2\n"}])
    expect(quiet.get_by_role("heading", name="does not fit")).to_be_visible()
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("alert").get_by_role("link")).to_have_attribute("href", re.compile("missing-columns"))


def test_a_link_that_was_clicked_is_followed_although_an_upload_ends_meanwhile(quiet: Page) -> None:
    held, models = hold_requests(quiet, "**/predict?*"), hold_requests(quiet, "**/ui/models")
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    with quiet.expect_request("**/predict?*"):
        quiet.get_by_role("button", name="Predict", exact=True).click()
    with quiet.expect_request("**/ui/models"):
        quiet.get_by_role("link", name="Models", exact=True).click()
    held[0].fulfill(status=202, body='{"id": "x"}')
    expect(quiet.get_by_role("link", name="a.csv is sent: see its job")).to_be_visible()
    models[0].continue_()
    expect(quiet.get_by_role("heading", name="Models")).to_be_visible()


def test_a_file_that_is_sent_again_after_its_job_makes_another_job(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    jobs = []
    for _ in range(2):
        quiet.get_by_role("button", name="Predict", exact=True).click()
        quiet.wait_for_url("**/ui/jobs/*")
        jobs.append(quiet.url)
        quiet.get_by_role("button", name="Cancel").click()
        expect(quiet.locator("#status")).to_have_text("cancelled")
        quiet.go_back()
        expect(quiet.locator("#check")).to_contain_text("fit")
    assert jobs[0] != jobs[1]
