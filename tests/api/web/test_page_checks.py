"""The check of a Parquet file or a workbook on the page, which shows what that of a CSV file shows."""

import pytest
from parquet_files import FEW, parquet
from playwright.sync_api import FilePayload, Page, expect
from programs import ROOT
from workbooks import workbook

FILES = {
    "in.parquet": (parquet(FEW[:50]), "Parquet file."),
    "in.xlsx": (workbook(["age", "pclass", "name"], *[[row, 3, "Ann"] for row in range(50)]), "Excel workbook"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_named", [True, False], ids=["", "called-csv"])
def test_the_page_shows_the_check_of_a_converted_file(page: Page, name: str, is_named: bool) -> None:
    body, words = FILES[name]
    script = (ROOT / "api" / "web" / "static" / "check.js").read_text()
    script = script.replace("CHECKED_BYTES = 1024 * 1024", "CHECKED_BYTES = 100")
    page.route("**/static/*/check.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.goto("/")
    payload: FilePayload = {
        "name": name if is_named else "in.csv",
        "mimeType": "application/octet-stream",
        "buffer": body,
    }
    page.get_by_label("CSV file").set_input_files([payload])
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    check = page.locator("#check")
    expect(check).to_contain_text("About 50 rows")
    expect(check).to_contain_text(words)
    expect(check).to_contain_text(". Used: ")
    expect(page.get_by_role("region", name="First predictions")).to_be_visible()


def test_the_page_names_the_missing_column_of_a_workbook(page: Page) -> None:
    page.goto("/")
    body = workbook(["Age", "pclass"], [25, 3])
    page.get_by_label("CSV file").set_input_files([{"name": "a.xlsx", "mimeType": "", "buffer": body}])
    expect(page.get_by_role("heading", name="This file does not fit")).to_be_visible()
    expect(page.locator("#check")).to_contain_text("Column age is missing; the nearest is Age.")


def test_a_file_that_is_too_large_to_check_is_not_sent_for_it(page: Page) -> None:
    page.goto("/")
    page.evaluate("""() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(64 * 1024 * 1024 + 1)], "large.parquet"));
        dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
    }""")
    expect(page.locator("#check")).to_contain_text(
        "large.parquet is larger than 64 MiB, so it is checked when it is sent"
    )
