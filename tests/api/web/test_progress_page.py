"""A job's chunks and log on its page, and the page of the queue. The test is the worker, so it knows every moment."""

import re
from collections.abc import Iterator

import pytest
from axe_faults import axe_faults
from playwright.sync_api import Browser, Page, expect
from programs import Stack, http_client
from record_jobs import PROBLEM, batch, lease_of, part
from scored import submit
from workbooks import XLSX, workbook

from api.web.job_pages import reload_seconds
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.settings import Settings

ROWS = b"age,pclass\n" + b"25,3\n" * 3000
"""Three chunks."""


@pytest.fixture
def leases(gateway: Stack, settings: Settings) -> Leases:
    return Leases(Scripts(gateway.redis, settings), "node/7")


@pytest.fixture
def job(gateway: Stack) -> Iterator[str]:
    """A job that waits; it is deleted after the test."""
    with http_client(gateway.url) as http:
        id = submit(http, "titanic", ROWS)
        yield id
        http.delete(f"/jobs/{id}")


def test_chunks_and_log_follow_the_job_while_it_runs(quiet: Page, leases: Leases, job: str) -> None:
    quiet.goto(f"/ui/jobs/{job}")
    strip = quiet.locator("#chunk-progress")
    expect(strip).to_contain_text("0 of 3 chunks done")
    quiet.get_by_text("Each chunk:").click()
    leases.release([lease_of(leases, job, 1)], PROBLEM, strikes=STRIKES_OF_ERROR)
    lease_of(leases, job, 1)
    leases.commit(lease_of(leases, job, 0), part(1024, failed=2), {})
    expect(strip).to_contain_text("1 of 3 chunks done, 1 being scored, 1 tried more than once, 2 bad rows.")
    expect(strip.get_by_role("img")).to_have_accessible_name(re.compile("1 of 3 chunks done"))
    rows = quiet.get_by_role("region", name="Chunks").get_by_role("row")
    expect(rows.nth(1)).to_have_text(re.compile(r"0.*1 to 1,024.*done.*2.*1.*node/7"))
    expect(rows.nth(2)).to_have_text(re.compile(r"1.*1,025 to 2,048.*being scored.*2.*node/7"))
    expect(rows.nth(3)).to_have_text(re.compile(r"2.*2,049 to 3,000.*waiting"))
    expect(quiet.locator("#log")).to_contain_text("Chunk 1 was taken over by node/7 (attempt 2).")
    quiet.evaluate("document.stillHere = true")
    leases.commit(lease_of(leases, job, 1), part(1024), {})
    leases.commit(lease_of(leases, job, 2), part(952), {})
    expect(quiet.locator("#log")).to_contain_text("The job succeeded.")
    expect(rows.nth(3)).to_contain_text("done")
    expect(rows.nth(3)).to_be_visible()  # what was unfolded stays so
    assert quiet.evaluate("document.stillHere")


def test_the_end_of_a_job_is_announced_and_the_keyboard_stays_on_the_page(
    quiet: Page, gateway: Stack, leases: Leases, job: str
) -> None:
    quiet.goto(f"/ui/jobs/{job}")
    quiet.get_by_role("button", name="Cancel").focus()
    with http_client(gateway.url) as http:
        http.post(f"/jobs/{job}/cancel").raise_for_status()
    expect(quiet.locator("#announcer")).to_have_text(f"{job}: cancelled")
    expect(quiet.locator("main")).to_be_focused()  # the button is gone


def test_a_list_that_has_not_changed_is_left_alone(quiet: Page, job: str) -> None:
    """A screen reader would lose its place in it."""
    quiet.goto("/ui/jobs")
    quiet.evaluate("document.before = document.getElementById('main')")
    with quiet.expect_response("**/ui/jobs"), quiet.expect_response("**/ui/jobs"):
        pass
    assert quiet.evaluate("document.before === document.getElementById('main')")


@pytest.mark.parametrize(("age_seconds", "seconds"), [(-1, 2), (0.5, 2), (60, 12), (3600, 30)])
def test_without_javascript_an_old_job_leaves_time_to_reach_its_buttons(age_seconds: float, seconds: int) -> None:
    assert reload_seconds(age_seconds) == seconds


def test_the_chunk_that_failed_the_job_is_marked(quiet: Page, leases: Leases, job: str) -> None:
    for _ in range(3):
        leases.release([lease_of(leases, job, 1)], PROBLEM, strikes=STRIKES_OF_ERROR)
    quiet.goto(f"/ui/jobs/{job}?chunks=0")
    expect(quiet.locator("#chunk-progress")).to_contain_text("✕")
    rows = quiet.get_by_role("region", name="Chunks").get_by_role("row")
    expect(rows.nth(2)).to_contain_text("failed")
    expect(rows.nth(3)).to_contain_text("not scored")
    expect(quiet.locator("#log")).to_contain_text("The job failed: it was lost")


def test_ten_thousand_chunks_are_grouped_and_paged(
    quiet: Page, gateway: Stack, leases: Leases, settings: Settings
) -> None:
    new = batch(chunks=10_000)
    records = Records(Scripts(gateway.redis, settings), settings)
    records.make(new)
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    quiet.goto(f"/ui/jobs/{new.id}?chunks=9975")
    expect(quiet.locator("#chunk-progress")).to_contain_text("1 of 10,000 chunks done")
    assert quiet.locator("#chunk-progress g").count() == 64
    expect(quiet.locator("#chunk-progress title").first).to_have_text("Chunks 0 to 156: 1 done")
    region = quiet.get_by_role("region", name="Chunks")
    expect(region.get_by_role("row").last).to_contain_text("99,991 to 100,000")
    quiet.get_by_role("link", name="Chunks before").click()
    expect(region.get_by_role("row").nth(1)).to_contain_text("9950")
    assert len(quiet.content()) < 60_000
    records.delete(new.id)


def test_the_queue_shows_work_and_follows_it(quiet: Page, gateway: Stack, leases: Leases, job: str) -> None:
    workers = WorkerRegistry(gateway.redis)
    quiet.clock.install()
    quiet.goto("/ui/queue")
    expect(quiet.get_by_text("No worker is online.")).to_be_visible()
    workers.heartbeat("node", 2)
    try:
        lease_of(leases, job, 1)
        quiet.clock.run_for(2000)
        expect(quiet.get_by_role("region", name="Workers")).to_contain_text(f"chunk 1 of job {job}")
        expect(quiet.get_by_role("row", name="Chunks of files")).to_contain_text(re.compile(r"\d+.*\d s"))
        quiet.get_by_role("link", name=f"job {job}").click()
        expect(quiet.locator("#chunk-progress")).to_contain_text("1 being scored")
    finally:
        workers.remove("node", 2)


def test_axe_finds_nothing_while_a_job_runs(browser: Browser, gateway: Stack, leases: Leases, job: str) -> None:
    lease_of(leases, job, 0)
    context = browser.new_context(base_url=gateway.url, bypass_csp=True, viewport={"width": 320, "height": 640})
    page = context.new_page()
    for path in (f"/ui/jobs/{job}?chunks=0", "/ui/queue"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert axe_faults(page) == "", path
    context.close()


def test_the_list_of_jobs_follows_what_happens(quiet: Page, gateway: Stack, job: str) -> None:
    quiet.clock.install()
    quiet.goto("/ui/jobs")
    row = quiet.get_by_role("row", name=job)
    expect(row).to_contain_text("queued")
    with http_client(gateway.url) as http:
        http.post(f"/jobs/{job}/cancel").raise_for_status()
    quiet.clock.run_for(3000)
    expect(row).to_contain_text("cancelled")


def test_the_list_of_jobs_follows_while_a_filter_is_typed_and_waits_while_it_is_used(
    quiet: Page, gateway: Stack, job: str
) -> None:
    quiet.clock.install()
    quiet.goto("/ui/jobs")
    row = quiet.get_by_role("row", name=job)
    quiet.get_by_label("Tag").fill("run:ni")
    with http_client(gateway.url) as http:
        http.post(f"/jobs/{job}/cancel").raise_for_status()
        quiet.clock.run_for(3000)
        expect(row).to_contain_text("cancelled")
        quiet.keyboard.type("ghtly")
        expect(quiet.get_by_label("Tag")).to_have_value("run:nightly")
        row.get_by_role("link").focus()
        http.post(f"/jobs/{job}/retry").raise_for_status()
    quiet.clock.run_for(3000)
    expect(quiet.locator("#news")).to_contain_text("This page has changed.")
    expect(row.get_by_role("link")).to_be_focused()
    row.get_by_role("link").blur()
    quiet.clock.run_for(3000)
    expect(row).to_contain_text("queued")
    expect(quiet.locator("#news")).to_be_hidden()


def test_a_file_whose_rows_are_not_counted_yet_is_not_said_to_have_none(gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        id = http.post("/predict", content=workbook(["age", "pclass"], [25, 3]), headers=XLSX).json()["id"]
        assert "The rows are not counted yet" in http.get(f"/ui/jobs/{id}").text
        listed = http.get("/ui/jobs").text + http.get("/").text
        http.delete(f"/jobs/{id}")
    assert "not counted yet" in listed
    assert "of 0<" not in listed
    assert not re.search(r"(?<![\d,])0 rows", listed)


def test_the_first_page_follows_jobs_and_workers_and_keeps_what_is_typed(quiet: Page, gateway: Stack, job: str) -> None:
    workers = WorkerRegistry(gateway.redis)
    quiet.clock.install()
    quiet.goto("/")
    expect(quiet.get_by_text("No worker is online.")).to_be_visible()
    quiet.get_by_label(re.compile("^age")).fill("33")
    workers.heartbeat("node", 2)
    try:
        with http_client(gateway.url) as http:
            http.post(f"/jobs/{job}/cancel").raise_for_status()
        quiet.clock.run_for(5000)
        expect(quiet.get_by_role("listitem").filter(has_text=job)).to_contain_text("cancelled")
        expect(quiet.get_by_text("No worker is online.")).to_be_hidden()
        expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")
    finally:
        workers.remove("node", 2)


@pytest.mark.parametrize("chunks", ["x", "-1", "99999999999", "3", ""])
def test_a_page_of_chunks_that_cannot_be_is_the_first(gateway: Stack, job: str, chunks: str) -> None:
    with http_client(gateway.url) as http:
        answer = http.get(f"/ui/jobs/{job}", params={"chunks": chunks})
        assert answer.status_code == 200
        assert "1 to 1,024" in answer.text
        assert http.get(f"/ui/jobs/{new_id()}/progress").status_code == 404
