"""What people do to a page besides what it is for: they click twice, go offline, change files, and use old keys."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Download, Page, Route, expect
from programs import Stack, http_client
from scored import submit

SMALL = b"age,pclass\n25,3\n"


@pytest.fixture
def job(gateway: Stack) -> Iterator[str]:
    """A job that waits; it is deleted after the test."""
    with http_client(gateway.url) as http:
        id = submit(http, "titanic", SMALL)
        yield id
        http.delete(f"/jobs/{id}")


def choose(page: Page, name: str, body: bytes) -> None:
    page.get_by_label("CSV file").set_input_files([{"name": name, "mimeType": "text/csv", "buffer": body}])


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def test_the_chosen_bulk_action_outlives_other_filters(quiet: Page, job: str) -> None:
    quiet.goto("/ui/jobs")
    quiet.get_by_label("Every job that matches").select_option("delete")
    for since, said in (
        ("yesterday", "must be a time"),
        ("2999-01-01", "No job matches."),
        ("2026-01-31", "Every job that matches"),
    ):
        quiet.get_by_label("Since").fill(since)
        quiet.get_by_role("button", name="Show").click()
        expect(quiet.get_by_text(said).first).to_be_attached()
    expect(quiet.get_by_label("Every job that matches")).to_have_value("delete")


def test_the_second_of_two_clicks_does_nothing(quiet: Page, job: str) -> None:
    quiet.goto(f"/ui/jobs/{job}")
    quiet.get_by_role("button", name="Cancel").dblclick()
    expect(quiet.locator("#status")).to_have_text("cancelled")
    expect(quiet.get_by_role("alert")).to_have_count(0)
    quiet.get_by_role("button", name="Retry").dblclick()
    expect(quiet.locator("#status")).to_have_text("queued")
    expect(quiet.get_by_role("alert")).to_have_count(0)


def test_what_was_done_in_another_tab_is_said_on_the_jobs_page(quiet: Page, gateway: Stack, job: str) -> None:
    quiet.route("**/events", lambda route: route.abort())
    quiet.goto(f"/ui/jobs/{job}")
    with http_client(gateway.url) as http:
        http.post(f"/jobs/{job}/cancel").raise_for_status()
        quiet.get_by_role("button", name="Cancel").or_(quiet.get_by_role("button", name="Retry")).wait_for()
        answer = http.post(f"/ui/jobs/{job}/cancel")
    assert answer.status_code == 409
    assert "has ended already" in answer.text
    assert "What happened" in answer.text  # it is the job's page


def test_a_job_that_was_deleted_in_another_tab_says_so(quiet: Page, gateway: Stack, job: str) -> None:
    quiet.goto(f"/ui/jobs/{job}")
    expect(quiet.locator("#status")).to_have_text("queued")
    with http_client(gateway.url) as http:
        http.delete(f"/jobs/{job}")
    expect(quiet.get_by_role("heading", name="Job deleted")).to_be_visible(timeout=15_000)


def test_a_form_that_is_refused_leads_to_the_page_about_it(quiet: Page, gateway: Stack, job: str) -> None:
    quiet.route("**/events", lambda route: route.abort())
    quiet.goto(f"/ui/jobs/{job}")
    quiet.route("**/jobs/*", lambda route: route.abort())
    with http_client(gateway.url) as http:
        http.delete(f"/jobs/{job}")
    quiet.get_by_role("button", name="Cancel").click()
    expect(quiet.locator(".refused").get_by_role("link")).to_have_attribute("href", re.compile("job-deleted"))


def test_a_file_that_changes_or_vanishes_is_named_as_the_cause(quiet: Page, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(SMALL)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files(file)
    file.unlink()
    predict(quiet)
    expect(quiet.locator("#upload-text")).to_contain_text("The file was not sent: it cannot be read.")
    expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_enabled()


def test_without_a_network_it_says_so_and_the_same_button_sends_the_file(quiet: Page, gateway: Stack) -> None:
    quiet.goto("/")
    choose(quiet, "in.csv", SMALL)
    quiet.context.set_offline(True)
    predict(quiet)
    expect(quiet.locator("#upload-text")).to_contain_text("The connection broke. Press Predict again")
    quiet.context.set_offline(False)
    predict(quiet)
    expect(quiet.locator("#status")).to_have_text("queued")
    with http_client(gateway.url) as http:
        http.delete(quiet.url.replace("/ui", "")).raise_for_status()


def test_what_became_of_a_file_is_said_if_the_next_request_breaks(quiet: Page) -> None:
    quiet.route("**/predict?*", lambda route: route.fulfill(status=401, body="{}"))
    quiet.goto("/")
    choose(quiet, "in.csv", SMALL)
    expect(quiet.locator("#check")).to_contain_text("fits")
    quiet.route("**/", lambda route: route.abort())
    predict(quiet)
    expect(quiet.locator("#upload-text")).to_contain_text("The connection broke. Press Predict again")
    quiet.unroute_all()
    quiet.route("**/ui/jobs/*", lambda route: route.abort())
    predict(quiet)
    expect(quiet.locator("#upload-text")).to_have_text("in.csv is sent. Loading its job …")
    expect(quiet.locator("#lost")).to_be_visible()
    quiet.unroute_all()
    predict(quiet)
    expect(quiet.locator("#status")).to_have_text("queued")


def test_an_answer_that_is_lost_costs_no_second_job_and_other_options_make_one(quiet: Page, gateway: Stack) -> None:
    keys: list[str] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.abort()

    quiet.goto("/")
    choose(quiet, "in.csv", SMALL)
    quiet.route("**/predict?*", lose)
    for _ in range(2):
        predict(quiet)
        expect(quiet.locator("#upload-text")).to_contain_text("The connection broke.")
        expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_enabled()
    quiet.locator("summary", has_text="Result").click()
    quiet.get_by_label("Add the probability").check()
    predict(quiet)
    expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_enabled()
    assert keys[0] == keys[1] != keys[2]


def test_a_page_that_refreshes_says_when_the_service_is_away_and_comes_back(quiet: Page) -> None:
    quiet.clock.install()
    quiet.goto("/ui/queue")
    quiet.locator("main").click()
    quiet.context.set_offline(True)
    quiet.clock.run_for(2000)
    expect(quiet.get_by_text("The service cannot be reached.")).to_be_visible()
    quiet.context.set_offline(False)
    quiet.clock.run_for(2000)
    expect(quiet.get_by_text("The service cannot be reached.")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "body"),
    [("empty.csv", b""), ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"), ("header.csv", b"age,pclass\n")],
)
def test_a_file_that_is_no_table_is_refused_in_place(quiet: Page, name: str, body: bytes) -> None:
    quiet.goto("/")
    choose(quiet, name, body)
    expect(quiet.locator("#check .problem")).to_be_visible()
    predict(quiet)
    expect(quiet.get_by_role("alert")).to_be_visible()
    expect(quiet).to_have_url(re.compile("/$"))
    expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_enabled()


def test_a_choice_that_is_taken_back_is_forgotten(quiet: Page) -> None:
    quiet.goto("/")
    choose(quiet, "wrong.csv", b"a,b\n1,2\n")
    expect(quiet.locator("#check .problem")).to_be_visible()
    quiet.get_by_label("CSV file").set_input_files([])
    expect(quiet.locator("#check")).to_be_empty()


def test_leaving_during_an_upload_asks_first(quiet: Page) -> None:
    asked: list[str] = []
    quiet.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    quiet.route("**/predict?*", lambda route: None)  # it is never answered
    quiet.goto("/")
    choose(quiet, "in.csv", SMALL)
    predict(quiet)
    expect(quiet.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
    quiet.goto("/ui/jobs")
    assert asked == ["beforeunload"]


@pytest.mark.xdist_group("guarded pages")
def test_a_key_that_is_no_longer_valid_is_asked_for_in_place(guarded_page: tuple[Page, str]) -> None:
    page, secret = guarded_page
    page.goto("/")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    choose(page, "a.csv", SMALL + b"old,3\nbad,1\n")
    expect(page.locator("#check")).to_contain_text("not a number")
    page.evaluate("sessionStorage.setItem('rowcast-key', 'rc_old')")
    predict(page)
    expect(page.get_by_text("does not know this API key")).to_be_visible()
    page.get_by_label("API key").fill("rc_half")
    page.locator("summary", has_text="Job").click()
    page.get_by_label("Tags").fill("run:nightly")
    with page.expect_response("**/ui/check?*"):
        page.get_by_label("Tags").blur()
    expect(page.locator("#check")).to_be_empty()
    expect(page.get_by_label("API key")).to_have_value("rc_half")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("heading", name="a.csv")).to_be_visible()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)

    page.get_by_label("Row 2, age").fill("31")  # what is typed stays, too
    page.evaluate("sessionStorage.setItem('rowcast-key', 'rc_old')")
    page.get_by_role("button", name="Predict these rows again").click()
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#progress-text")).to_contain_text("1 of them bad")

    page.evaluate("sessionStorage.setItem('rowcast-key', 'rc_old')")
    page.get_by_role("link", name="Download the result").click()
    expect(page.locator("#news")).to_contain_text("does not know this API key")
    page.get_by_label("API key").fill(secret)
    with page.expect_download():
        page.get_by_role("button", name="Use this key").click()
    expect(page.locator("#news")).to_be_hidden()

    page.clock.install()
    page.get_by_role("link", name="Queue").click()  # a page that refreshes takes no slow link back
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/ui/models", hold)
    with page.expect_request("**/ui/models"):
        page.get_by_role("link", name="Models").click()
    page.clock.run_for(10_000)
    held.pop().continue_()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.unroute("**/ui/models")
    page.clock.resume()

    page.get_by_role("link", name="Predict", exact=True).click()  # what is sent while another page is shown is not lost

    def is_upload(url: str) -> bool:
        return "/predict?" in url and "dry_run" not in url

    page.route(is_upload, hold)
    choose(page, "b.csv", SMALL)
    with page.expect_request(lambda request: is_upload(request.url)):
        predict(page)
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    held[0].continue_()
    page.get_by_role("link", name="b.csv is sent: see its job").click()
    expect(page.get_by_role("heading", name="b.csv")).to_be_visible()

    page.get_by_role("link", name="Predict", exact=True).click()
    choose(page, "c.csv", b"a,b\n1,2\n")
    with page.expect_request(lambda request: is_upload(request.url)):
        predict(page)
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    held[1].continue_()
    expect(page.locator("#news")).to_contain_text("c.csv: The header lacks columns")


@pytest.mark.xdist_group("guarded pages")
def test_a_download_with_a_key_is_made_once_and_asks_before_it_is_lost(guarded_page: tuple[Page, str]) -> None:
    page, secret = guarded_page
    asked: list[str] = []
    held: list[Route] = []
    saved: list[Download] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    def hold(route: Route) -> None:
        held.append(route)

    def note(download: Download) -> None:
        saved.append(download)

    page.goto("/")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    choose(page, "a.csv", SMALL)
    predict(page)
    result = page.get_by_role("link", name="Download the result")
    page.route("**/result", lambda route: route.abort())
    result.click()
    expect(page.locator("#news")).to_contain_text("The download broke off")
    page.unroute("**/result")
    page.route("**/result", hold)
    page.on("dialog", stay)
    page.on("download", note)
    with page.expect_request("**/result"):
        result.click()
    expect(page.locator("#news")).to_have_text(re.compile("^Downloading"))
    result.click()
    page.evaluate("location.reload()")
    expect(page.locator("#status")).to_have_text("succeeded")
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    with page.expect_download():
        held[0].continue_()
    expect(page.locator("#news")).to_be_hidden()
    assert (len(held), len(saved)) == (1, 1)
