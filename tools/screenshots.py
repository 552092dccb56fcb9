"""Takes the pictures of the web page for docs/page.md: python tools/screenshots.py (needs Chromium).

It starts a service with the example model in a temporary folder, sends the Titanic, and photographs what a user sees.
"""

import os
import signal
import sys
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tools.example_service import CHROMIUM, ROOT, TITANIC, example_service

PICTURES = ROOT / "docs" / "pictures"


def main() -> None:
    """Writes `page-check.png`, `page-options.png`, `page-job.png`, `page-progress.png` and `page-queue.png`."""
    with example_service() as url:
        photograph(url)


def photograph(url: str) -> None:
    """Sends the Titanic through the page of the service at `url`, and takes the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 900, "height": 640})
        page.goto("/")
        page.get_by_label("CSV file").set_input_files(TITANIC)
        page.get_by_role("heading", name="This file fits").wait_for()
        _take(page, "page-check")
        _take_options(page)
        page.get_by_role("button", name="Predict", exact=True).click()
        page.locator("#status .succeeded").wait_for()
        _take(page, "page-job")
        _take_progress(page, url)
        page.goto("/ui/queue")
        page.get_by_text("in use").wait_for()
        _take(page, "page-queue")
        browser.close()


def _take_options(page: Page) -> None:
    """Takes the picture of a value that is refused, and corrects it."""
    page.locator("summary", has_text="Job").click()
    page.get_by_label("Tags").fill("nightly")
    page.get_by_label("Tags").blur()
    page.locator("[aria-invalid]").wait_for()
    _take(page, "page-options")
    page.get_by_label("Tags").fill("run:nightly")
    page.get_by_label("Tags").blur()
    page.get_by_role("heading", name="This file fits").wait_for()


def _take_progress(page: Page, url: str) -> None:
    """Takes the picture of a job that runs, one of whose worker processes was killed."""
    header, *rows = TITANIC.read_bytes().splitlines(keepends=True)
    with httpx.Client(base_url=url) as http:
        body = header + b"".join(rows) * 300
        headers = {"Content-Type": "text/csv", "Content-Disposition": "attachment; filename=passengers.csv"}
        id = http.post("/predict", content=body, headers=headers).json()["id"]
        page.goto(f"/ui/jobs/{id}")
        page.get_by_text("being scored").first.wait_for()
        work = http.get("/queue").json()["workers"][0]["work"]
        os.kill(int(work[0]["process"]), signal.SIGKILL)
    page.get_by_text("was taken over").wait_for()
    page.get_by_role("heading", name="Chunks").scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "page-progress.png")


def _take(page: Page, name: str) -> None:
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
