"""What is typed or chosen to correct bad rows outlives other people, refusals, and the sending of other corrections."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from held_requests import hold_requests
from playwright.sync_api import Browser, Page, expect
from programs import Stack, http_client
from scored import score, wait

BAD = b"name,age,pclass\nAnn,25,3\nBo,old,3\nCem,bad,1\n"


@pytest.fixture
def bad(stack: Stack) -> str:
    """A job with the bad rows 2 and 3."""
    return score(stack, BAD)


@pytest.fixture
def plain(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page without JavaScript."""
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def _repair(page: Page) -> None:
    page.get_by_role("button", name="Predict these rows again").click()


def _drafts(page: Page) -> int:
    return int(page.evaluate("Object.keys(sessionStorage).length"))


@pytest.mark.parametrize("sent", ["3x", "31"])
def test_a_cell_that_is_typed_again_while_it_is_sent_is_not_lost(page: Page, bad: str, sent: str) -> None:
    held = hold_requests(page, "**/repair")
    page.goto(f"/ui/jobs/{bad}")
    cell = page.get_by_label("Row 2, age")
    cell.fill(sent)
    page.get_by_label("Row 3, age").fill("32")
    with page.expect_request("**/repair"):
        _repair(page)
    cell.fill("33")
    held[0].continue_()
    if sent == "3x":
        expect(page.locator("#progress-text")).to_contain_text("1 of them bad")
        expect(cell).to_have_value("33")
    else:  # the row has a prediction by now, and no cell to type into
        expect(page.locator("#news")).to_contain_text("Row 2, age: you typed “33”, but the row was corrected")
        assert _drafts(page) == 0


def test_a_cell_that_was_corrected_by_another_person_is_said(page: Page, stack: Stack, bad: str) -> None:
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    page.get_by_role("link", name="Jobs", exact=True).click()
    with http_client(stack.url) as http:
        http.post(f"/jobs/{bad}/repair", json={"rows": [{"_row": 2, "age": "none"}]}).raise_for_status()
        wait(http, bad)
    page.goto(f"/ui/jobs/{bad}")
    expect(page.locator("#news")).to_have_text("Row 2, age: you typed “31”, but the row was corrected in the meantime.")
    expect(page.get_by_label("Row 2, age")).to_have_value("none")


def test_cells_that_are_not_sent_are_said_on_other_pages_which_ask_before_closing(page: Page, bad: str) -> None:
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    page.get_by_role("link", name="Jobs", exact=True).click()
    unsent = page.get_by_role("link", name="Cells that you corrected are not sent yet: see their job")
    expect(unsent).to_be_visible()
    page.get_by_role("heading", name="Jobs").click()  # a browser asks nothing on a page that was not used
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    unsent.click()
    _repair(page)
    expect(page.locator("#progress-text")).to_contain_text("1 of them bad")
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    expect(page.locator("#news")).to_be_hidden()


def test_a_file_of_corrections_that_is_refused_stays_chosen(page: Page, bad: str, tmp_path: Path) -> None:
    page.goto(f"/ui/jobs/{bad}")
    wrong = {"name": "wrong.csv", "mimeType": "text/csv", "buffer": b"age\n40\n"}
    page.get_by_label("Corrected rows").set_input_files([wrong])
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.get_by_role("alert")).to_contain_text("has no column '_row'")
    held = hold_requests(page, "**/repair")
    with page.expect_request("**/repair"):
        page.get_by_role("button", name="Send corrected rows").click()
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    held[0].continue_()
    page.get_by_role("link", name="“Send corrected rows” was not done. header line: has no column '_row'").click()
    page.unroute("**/repair")
    expect(page.get_by_role("heading", name="Correct bad rows")).to_be_visible()
    assert page.get_by_label("Corrected rows").evaluate("({ files }) => files[0].name") == "wrong.csv"
    file = tmp_path / "removed.csv"
    file.write_bytes(b"_row,age\n2,31\n")
    page.get_by_label("Corrected rows").set_input_files(file)
    file.unlink()
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.locator(".refused")).to_contain_text("The file was not sent: it cannot be read.")


def test_what_was_typed_for_a_deleted_job_is_forgotten(page: Page, stack: Stack, bad: str) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    other = score(stack, BAD)
    for id in (bad, other):
        page.goto(f"/ui/jobs/{id}")
        page.get_by_label("Row 2, age").fill("31")
    assert _drafts(page) == 2
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert _drafts(page) == 1
    with http_client(stack.url) as http:
        http.delete(f"/jobs/{bad}").raise_for_status()
    page.goto(f"/ui/jobs/{bad}")
    expect(page.get_by_role("heading", name="Job deleted")).to_be_visible()
    expect(page.locator("html.script")).to_be_attached()
    assert _drafts(page) == 0


def test_without_a_script_corrections_that_come_too_late_are_shown(plain: Page, stack: Stack, bad: str) -> None:
    plain.goto(f"/ui/jobs/{bad}")
    plain.get_by_label("Row 2, age").fill("31")
    plain.get_by_label("Row 3, age").fill("none")
    with http_client(stack.url) as http:
        http.post(f"/jobs/{bad}/repair", json={"rows": [{"_row": 2, "age": 40}]}).raise_for_status()
        wait(http, bad)
    _repair(plain)
    expect(plain.get_by_role("alert")).to_contain_text("row 2: has a prediction")
    unsent = plain.get_by_role("region", name="What you typed, which was not sent")
    expect(unsent.get_by_role("row").nth(1)).to_have_text(re.compile("2.*age.*31", re.DOTALL))
    expect(plain.get_by_label("Row 3, age")).to_have_value("none")


def test_without_a_script_the_question_before_a_job_is_deleted_costs_nothing(plain: Page, bad: str) -> None:
    plain.goto(f"/ui/jobs/{bad}")
    plain.get_by_label("Row 2, age").fill("31")
    for _ in range(2):  # it is asked, and then no
        plain.locator("summary", has_text="Delete").click()
    expect(plain.get_by_label("Row 2, age")).to_have_value("31")
    plain.get_by_label("Corrected rows").set_input_files(
        [{"name": "a.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"}]
    )
    plain.get_by_role("button", name="Send corrected rows").click()
    expect(plain.locator("noscript .hint")).to_have_text("The button Back shows what you typed here before.")
    plain.go_back()
    expect(plain.get_by_label("Row 2, age")).to_have_value("31")


def test_without_a_script_a_filter_that_is_wrong_stays(plain: Page, bad: str) -> None:
    plain.goto("/ui/jobs")
    plain.get_by_label("Tag").fill("run:nightly")
    plain.get_by_label("Since").fill("yesterday")
    plain.get_by_label("Every job that matches").select_option("delete")
    plain.get_by_role("button", name="Count them first").click()
    expect(plain.get_by_role("alert")).to_contain_text("since: must be a time")
    expect(plain.get_by_text("No job matches.")).to_have_count(0)  # none was looked for
    expect(plain.get_by_label("Tag")).to_have_value("run:nightly")
    expect(plain.get_by_label("Since")).to_have_value("yesterday")
