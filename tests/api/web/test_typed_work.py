"""What was typed or chosen is not lost: on leaving the page, by errors, by other tabs, or by the page itself."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect
from programs import Stack, http_client
from scored import score, submit, wait

BAD = b"name,age,pclass\nAnn,25,3\nBo,old,3\nCem,bad,1\nDo,,x\n"
UNTYPABLE = b'age,pclass\nold,1\n"3\n1",1\nbad,1\n'
SMALL = b"age,pclass\n25,3\n"


@pytest.fixture
def bad(stack: Stack) -> str:
    """A job with the bad rows 2, 3 and 4."""
    return score(stack, BAD)


def _type(page: Page, label: str, text: str) -> None:
    page.get_by_label(label).click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def _repair(page: Page) -> None:
    page.get_by_role("button", name="Predict these rows again").click()


def _drop(page: Page, *names: str) -> bool:
    """Drops files that hold `SMALL`. Returns whether the browser would have left the page to show them."""
    return bool(
        page.evaluate(
            """([names, body]) => {
                const dataTransfer = new DataTransfer();
                for (const name of names) dataTransfer.items.add(new File([body], name));
                const drop = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer });
                return document.querySelector("main").dispatchEvent(drop);
            }""",
            [names, SMALL.decode()],
        )
    )


def test_a_typed_cell_is_there_after_a_reload_a_link_and_a_lost_connection(page: Page, bad: str) -> None:
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.goto(f"/ui/jobs/{bad}")
    cell = page.get_by_label("Row 2, age")
    _type(page, "Row 2, age", "31")
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(cell).to_have_value("31")
    page.reload()
    expect(cell).to_have_value("31")
    assert asked == ["beforeunload"]
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="Cells that you corrected are not sent yet: see their job").click()
    expect(cell).to_have_value("31")
    assert asked == ["beforeunload"]  # within the service it is kept, so nothing asks
    page.context.set_offline(True)
    _repair(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing that you typed is lost")
    page.context.set_offline(False)
    _repair(page)
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    page.reload()
    assert asked == ["beforeunload"]


def test_two_tabs_correct_rows_of_one_job(page: Page, bad: str) -> None:
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    _repair(page)
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    other.get_by_label("Row 2, age").fill("32")  # it has a prediction by now
    other.get_by_label("Row 4, pclass").fill("2")
    _repair(other)
    expect(other.get_by_role("alert")).to_contain_text("row 2: has a prediction")
    expect(other.get_by_label("Row 4, pclass")).to_have_value("2")
    _repair(other)
    expect(other.locator("#progress-text")).to_contain_text("1 of them bad")


def test_cells_that_cannot_be_sent_yet_are_shown_again_later(page: Page, bad: str) -> None:
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    page.route("**/repair", lambda route: route.fulfill(status=409, body="<main id='main'><h1>It runs</h1></main>"))
    _repair(page)
    expect(page.locator("#news")).to_contain_text("What you typed is kept.")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.goto(f"/ui/jobs/{bad}")
    expect(page.get_by_label("Row 2, age")).to_have_value("31")


def test_a_typed_cell_outlives_a_file_of_corrections(page: Page, bad: str) -> None:
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    corrected = {"name": "corrected.csv", "mimeType": "text/csv", "buffer": b"_row,age\n3,40\n"}
    page.get_by_label("Corrected rows").set_input_files([corrected])
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    expect(page.get_by_label("Row 2, age")).to_have_value("31")


def test_a_cell_that_a_form_would_change_is_not_offered_and_unchanged_ones_are_not_sent(stack: Stack) -> None:
    id = score(stack, b'age,pclass\n"3\n1",3\nold,3\n"x","1"\n')
    with http_client(stack.url, follow_redirects=True, timeout=90) as http:
        shown = http.get(f"/ui/jobs/{id}").text
        assert re.findall(r'type="text" name="([^"]*)"', shown) == ["2/age", "3/age"]
        cells = {"2/age": "40", "was:2/age": "old", "3/age": "x", "was:3/age": "x"}
        assert http.post(f"/ui/jobs/{id}/repair", data=cells).status_code == 200
        wait(http, id)
        result = http.get(f"/jobs/{id}/result").content
    assert result == b'age,pclass,prediction\n"3\n1",3,\n40,3,0\n"x","1",\n'


def test_without_a_script_a_refused_correction_keeps_what_was_typed(stack: Stack, bad: str) -> None:
    with http_client(stack.url) as http:
        cells = {"1/age": "9", "2/age": "<31>", "was:2/age": "old"}
        answer = http.post(f"/ui/jobs/{bad}/repair", data=cells)
        assert answer.status_code == 422
        assert 'name="2/age" value="&lt;31&gt;"' in answer.text


def test_a_file_that_is_chosen_stays_chosen_after_a_link_within_the_page(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    quiet.get_by_label(re.compile("^age")).fill("33")
    quiet.get_by_role("link", name="Skip to the content").focus()
    quiet.keyboard.press("Enter")
    expect(quiet).to_have_url(re.compile("#main"))
    quiet.evaluate("new Promise((done) => setTimeout(done))")  # `popstate` has been handled
    assert quiet.evaluate("document.getElementById('file').files.length") == 1
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("33")


def test_a_row_and_options_are_there_after_the_button_back_and_a_reload(quiet: Page) -> None:
    quiet.goto("/ui/models")
    quiet.get_by_role("link", name="Predict", exact=True).click()
    quiet.locator("summary", has_text="Job").click()
    quiet.get_by_label("Tags").fill("run:nightly")
    quiet.locator("summary", has_text="Result").click()
    quiet.get_by_label("Add the probability").check()
    quiet.get_by_label(re.compile("^age")).fill("25")
    quiet.get_by_role("link", name="Jobs").click()
    expect(quiet.get_by_role("heading", name="Jobs")).to_be_visible()
    quiet.go_back()
    for _ in range(2):
        expect(quiet.get_by_label("Tags")).to_have_value("run:nightly")  # it is unfolded: it would be sent unseen
        expect(quiet.get_by_label("Tags")).to_be_visible()
        expect(quiet.get_by_label("Add the probability")).to_be_checked()
        expect(quiet.get_by_label(re.compile("^age"))).to_have_value("25")
        quiet.reload()
    quiet.get_by_role("link", name="Models").click()
    quiet.get_by_role("link", name="Predict", exact=True).click()  # another visit
    expect(quiet.get_by_label("Tags")).to_have_value("run:nightly")
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("25")


def test_cells_of_a_spreadsheet_are_pasted_into_fields_one_after_another(page: Page, stack: Stack, bad: str) -> None:
    def paste(text: str) -> None:
        page.evaluate("text => navigator.clipboard.writeText(text)", text)
        page.keyboard.press("Control+v")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/")
    page.get_by_label(re.compile("^age")).focus()
    paste("25\t3\r\n")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.locator(".outcome")).to_have_text("Prediction: 0")
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").select_text()
    paste("31\t3\n32\t2\n")
    expect(page.locator("#news")).to_contain_text("Nothing was pasted: the cells are of several columns.")
    expect(page.get_by_label("Row 2, age")).to_have_value("old")
    paste("Age\n31\n32\n33\n34\n")
    expect(page.locator("#news")).to_have_text(re.compile("Left out [12] pasted cells?, for which there is no field."))
    _repair(page)
    expect(page.locator("#progress-text")).not_to_contain_text("bad")
    page.goto(f"/ui/jobs/{score(stack, UNTYPABLE)}")
    page.get_by_label("Row 1, age").select_text()
    paste("31\n32\n33\n")
    expect(page.get_by_label("Row 3, age")).to_have_value("33")  # row 2 has no field
    expect(page.locator("#news")).to_have_text("Left out 1 pasted cell, for which there is no field.")


def test_a_dropped_file_never_replaces_the_page(page: Page, bad: str) -> None:
    page.goto("/")
    assert not _drop(page, "one.csv", "two.csv")
    expect(page.locator("#news")).to_contain_text("2 files were dropped. Only one.csv is chosen")
    assert page.evaluate("[...document.getElementById('file').files].map(({ name }) => name)") == ["one.csv"]
    page.goto("/ui/jobs")
    assert not _drop(page, "one.csv")
    expect(page.locator("#news")).to_contain_text("drop it on the page Predict")
    page.goto(f"/ui/jobs/{bad}")
    assert not _drop(page, "corrected.csv")
    assert page.evaluate("document.getElementById('corrected').files[0].name") == "corrected.csv"


def test_a_file_that_is_chosen_while_another_is_sent_stays_chosen(quiet: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    quiet.route("**/predict?*", hold)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    with quiet.expect_request("**/predict?*"):
        quiet.get_by_role("button", name="Predict", exact=True).click()
    _drop(quiet, "b.csv")
    held[0].fulfill(status=202, body=json.dumps({"id": "x"}))
    expect(quiet.locator("#news")).to_contain_text("a.csv is sent: see its job")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "b.csv"
    with quiet.expect_request("**/predict?*"):
        quiet.get_by_role("button", name="Predict", exact=True).click()
    held[1].fulfill(status=422, body=json.dumps({"title": "Empty file", "detail": "no rows"}))
    expect(quiet.get_by_role("alert")).to_contain_text("no rows")


def test_the_list_of_jobs_keeps_what_is_typed_and_acts_on_what_it_shows(quiet: Page, gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        ids = [submit(http, "titanic", SMALL, tags="run:kept")]
        quiet.goto("/ui/jobs")
        quiet.get_by_label("Tag").fill("run:kept")
        quiet.get_by_label("Every job that matches").select_option("delete")
        quiet.evaluate("document.getElementById('main').setAttribute('data-old', '')")
        quiet.get_by_role("heading", name="Jobs").click()  # the fields lose the focus, and the page refreshes
        ids.append(submit(http, "titanic", SMALL))
        expect(quiet.locator("main[data-old]")).to_have_count(0)
        expect(quiet.get_by_label("Tag")).to_have_value("run:kept")
        quiet.get_by_role("button", name="Count them first").click()
        expect(quiet.get_by_role("status").first).to_contain_text("1 job matches")
        quiet.reload()
        expect(quiet.get_by_label("Every job that matches")).to_have_value("delete")
        expect(quiet.get_by_label("Tag")).to_have_value("run:kept")
        quiet.go_back()
        expect(quiet.get_by_role("button", name="Delete 1")).to_have_count(0)
        assert [http.delete(f"/jobs/{id}").status_code for id in ids] == [204, 204]


def test_a_bulk_action_is_done_to_no_more_jobs_than_were_counted(quiet: Page, gateway: Stack) -> None:
    with http_client(gateway.url) as http:

        def count(status: str) -> None:
            quiet.goto(f"/ui/jobs?tag=run:counted&status={status}")
            quiet.get_by_label("Every job that matches").select_option("delete")
            quiet.get_by_role("button", name="Count them first").click()
            expect(quiet.get_by_role("status").first).to_contain_text("1 job matches")

        ids = [submit(http, "titanic", SMALL, tags="run:counted")]
        count("")
        ids.append(submit(http, "titanic", SMALL, tags="run:counted"))  # it was made later
        quiet.get_by_role("button", name="Delete 1").click()
        expect(quiet.get_by_role("status").first).to_contain_text("Done to 1 of 1.")
        ids.append(submit(http, "titanic", SMALL, tags="run:counted"))
        http.post(f"/jobs/{ids[1]}/cancel").raise_for_status()
        count("queued")
        http.post(f"/jobs/{ids[1]}/retry").raise_for_status()  # it is queued again
        quiet.get_by_role("button", name="Delete 1").click()
        expect(quiet.get_by_text("Nothing was done.")).to_be_visible()
        assert [http.get(f"/jobs/{id}").status_code for id in ids] == [410, 200, 200]
        quiet.get_by_role("button", name="Delete 2").click()
        expect(quiet.get_by_role("status").first).to_contain_text("Done to 2 of 2.")


def test_the_second_of_two_quick_clicks_does_not_press_the_next_button(quiet: Page, gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        id = submit(http, "titanic", SMALL)
        quiet.goto(f"/ui/jobs/{id}")
        quiet.get_by_role("button", name="Cancel").click()
        place = quiet.get_by_role("button", name="Retry").bounding_box()
        quiet.mouse.move(place["x"] + 5, place["y"] + 5)
        quiet.mouse.down(click_count=2)
        quiet.mouse.up(click_count=2)
        quiet.reload()
        expect(quiet.locator("#status")).to_have_text("cancelled")
        http.delete(f"/jobs/{id}")


def test_a_tab_that_is_hidden_leaves_its_connection_to_others(quiet: Page, gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        id = submit(http, "titanic", SMALL)
        with quiet.expect_request("**/events"):
            quiet.goto(f"/ui/jobs/{id}")
        hide = "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        hide += " document.dispatchEvent(new Event('visibilitychange')); }"
        with quiet.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
            quiet.evaluate(hide, True)
        http.delete(f"/jobs/{id}")
        quiet.evaluate(hide, False)
        expect(quiet.get_by_role("heading", name="Job deleted")).to_be_visible()


@pytest.mark.parametrize("path", ["/ui/jobs", "/ui/queue"])
def test_a_page_that_follows_outlives_errors_of_the_service(quiet: Page, path: str) -> None:
    quiet.goto(path)
    heading = quiet.locator("h1").inner_text()
    quiet.route(f"**{path}", lambda route: route.fulfill(status=503, body="<html><main id='main'><h1>Down</h1></main>"))
    expect(quiet.get_by_text("The service cannot be reached.")).to_be_visible()
    expect(quiet.get_by_role("heading", name=heading)).to_be_visible()
    quiet.unroute(f"**{path}")
    expect(quiet.get_by_text("The service cannot be reached.")).to_be_hidden()


def test_a_refusal_is_not_hidden_by_a_check_that_ends_later(quiet: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    quiet.route("**/ui/check?*", hold)
    quiet.goto("/")
    with quiet.expect_request("**/ui/check?*"):
        quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    quiet.locator("details:has(#o-tags) summary").click()
    quiet.locator("#o-tags").fill("no tag")
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("alert")).to_contain_text("tags")
    for route in held:
        with quiet.expect_event("requestfinished"):
            route.fulfill(body="<section>fits</section>")
    quiet.evaluate("new Promise((done) => setTimeout(done))")  # the answer has been handled
    expect(quiet.get_by_role("alert")).to_contain_text("tags")


def test_a_row_is_predicted_while_a_file_is_chosen(page: Page) -> None:
    page.goto("/")
    page.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    page.get_by_label(re.compile("^age")).fill("25")
    page.get_by_label(re.compile("^pclass")).press("Enter")
    expect(page.locator(".outcome")).to_have_text("Prediction: 0")
    expect(page.get_by_label(re.compile("^pclass"))).to_be_focused()
    page.get_by_label(re.compile("^age")).fill("old")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a number")
    assert page.evaluate("document.getElementById('file').files[0].name") == "a.csv"


def test_a_page_that_a_proxy_sends_is_no_answer_to_an_upload(quiet: Page) -> None:
    quiet.route("**/predict?*", lambda route: route.fulfill(body="<html>Log in</html>"))
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("alert")).to_contain_text("status 200")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "a.csv"


def test_a_file_that_changes_while_it_is_sent_is_named(quiet: Page, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(SMALL)

    def change_and_answer(route: Route) -> None:
        file.write_bytes(SMALL + b"26,3\n")
        route.fulfill(status=202, body=json.dumps({"id": "x"}))

    quiet.route("**/predict?*", change_and_answer)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files(file)
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.locator("#news")).to_contain_text("in.csv was changed while it was sent")


def test_a_file_that_was_changed_can_be_chosen_again(quiet: Page, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(SMALL)
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files(file)
    expect(quiet.locator("#check")).to_contain_text("About 1 row")
    file.write_bytes(SMALL + b"27,3\n28,3\n")
    quiet.get_by_label("CSV file").set_input_files(file)  # Chromium fires no event of a change
    expect(quiet.locator("#check")).to_contain_text("About 3 rows")
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("heading", name="in.csv")).to_be_visible()


def test_a_name_with_parentheses_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_label("CSV file").set_input_files([{"name": "naïve (1)'.csv", "mimeType": "", "buffer": SMALL}])
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("heading", name="naïve (1)'.csv")).to_be_visible()


def test_what_is_typed_while_a_row_is_predicted_stays(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/ui/row*", hold)
    page.goto("/")
    age = page.get_by_label(re.compile("^age"))
    age.fill("25")
    with page.expect_request("**/ui/row*"):
        age.press("Enter")
    age.fill("61")
    page.keyboard.press("ArrowLeft")
    held[0].continue_()
    expect(page.locator(".outcome")).to_have_text("Prediction: 0 (of the row before you changed it)")
    page.keyboard.type("8")  # the caret has not moved
    expect(age).to_have_value("681")
    with page.expect_request("**/ui/row*"):
        age.press("Enter")
    page.locator("summary", has_text="Job").click()
    page.get_by_label("Tags").focus()
    page.evaluate("document.getElementById('row').setAttribute('data-old', '')")
    held[1].continue_()
    expect(page.locator("#row[data-old]")).to_have_count(0)
    expect(page.get_by_label("Tags")).to_be_focused()


def test_a_cell_that_is_typed_while_others_are_sent_stays(page: Page, bad: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/repair", hold)
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    with page.expect_request("**/repair"):
        _repair(page)
    page.get_by_label("Row 3, age").fill("32")
    held[0].continue_()
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    expect(page.get_by_label("Row 3, age")).to_have_value("32")


def test_without_storage_typed_cells_outlive_a_refusal_and_a_link_asks(page: Page, bad: str) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('not allowed') } })"
    )
    page.goto(f"/ui/jobs/{bad}")
    _type(page, "Row 2, age", "31")
    refused = {"name": "corrected.csv", "mimeType": "text/csv", "buffer": b"_row,age\n1,40\n"}
    page.get_by_label("Corrected rows").set_input_files([refused])
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.get_by_role("alert")).to_contain_text("row 1: has a prediction")
    expect(page.get_by_label("Row 2, age")).to_have_value("31")
    page.get_by_label("Corrected rows").set_input_files([])  # a link keeps a chosen file, and the typed cells with it
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_label("Row 2, age")).to_have_value("31")
    assert asked == ["beforeunload"]


def test_a_file_of_corrections_stays_chosen_while_cells_are_sent(page: Page, bad: str, tmp_path: Path) -> None:
    file = tmp_path / "corrected.csv"
    file.write_bytes(b"_row,age\n3,40\n")
    page.goto(f"/ui/jobs/{bad}")
    chosen, send = page.get_by_label("Corrected rows"), page.get_by_role("button", name="Send corrected rows")
    chosen.set_input_files(file)
    page.get_by_label("Row 2, age").fill("31")
    _repair(page)
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    assert chosen.evaluate("({ files }) => files[0].name") == "corrected.csv"
    assert chosen.evaluate("({ files }) => files[0].size") == 14
    file.unlink()
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("The file was not sent: it cannot be read.")
    file.write_bytes(b"_row,age\n3,40\n")
    chosen.set_input_files(file)
    send.click()
    expect(page.locator("#progress-text")).to_contain_text("1 of them bad")
    assert chosen.evaluate("({ files }) => files.length") == 0


def test_a_file_is_still_chosen_after_its_job_and_the_button_back(quiet: Page, gateway: Stack) -> None:
    quiet.goto("/")
    quiet.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    quiet.get_by_role("button", name="Predict", exact=True).click()
    expect(quiet.get_by_role("heading", name="a.csv")).to_be_visible()
    with http_client(gateway.url) as http:
        http.delete(quiet.url.replace("/ui", "")).raise_for_status()
    quiet.go_back()
    expect(quiet.locator("#check")).to_contain_text("fits")
    assert quiet.evaluate("document.getElementById('file').files[0].name") == "a.csv"
    quiet.get_by_role("link", name="Jobs", exact=True).click()
    quiet.get_by_role("link", name="Predict", exact=True).click()  # another visit
    expect(quiet.locator("#check")).to_be_empty()


def test_without_a_script_the_button_back_shows_what_was_typed(browser: Browser, stack: Stack, bad: str) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label(re.compile("^age")).fill("25")
    page.locator("summary", has_text="Job").click()
    page.get_by_label("Tags").fill("run:nightly")
    page.goto(f"/ui/jobs/{bad}")
    page.get_by_label("Row 2, age").fill("31")
    page.route("**/repair", lambda route: route.fulfill(status=502, body="down"))
    _repair(page)
    expect(page.get_by_text("down")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Row 2, age")).to_have_value("31")
    page.go_back()
    expect(page.get_by_label(re.compile("^age"))).to_have_value("25")
    expect(page.get_by_label("Tags")).to_have_value("run:nightly")
    context.close()


def test_a_chosen_model_that_was_removed_is_not_replaced_by_another(quiet: Page) -> None:
    quiet.goto("/")
    quiet.evaluate("document.getElementById('model').add(new Option('removed'))")
    quiet.get_by_label("Model", exact=True).select_option("removed")
    quiet.reload()
    expect(quiet.get_by_label("Model", exact=True)).to_have_value("removed")


def test_a_cell_that_is_typed_before_the_script_has_come_is_kept(page: Page, bad: str) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/drafts.js", hold)
    with page.expect_request("**/drafts.js"):
        page.goto(f"/ui/jobs/{bad}", wait_until="commit")
    page.get_by_label("Row 2, age").fill("31")
    held[0].continue_()
    page.unroute("**/drafts.js")
    expect(page.locator("html.script")).to_be_attached()
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.goto(f"/ui/jobs/{bad}")
    expect(page.get_by_label("Row 2, age")).to_have_value("31")
