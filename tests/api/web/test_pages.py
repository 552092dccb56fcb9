"""The pages as people use them: in a browser, with a mouse or a keyboard, and without JavaScript."""

import re
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from axe_faults import axe_faults
from playwright.sync_api import Browser, Page, expect
from programs import ROOT, Stack, http_client
from registering import register
from scored import score
from sklearn.dummy import DummyClassifier

from api.web.pages import STATIC, duration, size
from rowcast.models.facts.fold_metrics import CrossValidation, Interval

TITANIC = ROOT / "training" / "data" / "titanic.csv"
LOADED = [f"/static/{file.name}" for file in STATIC.iterdir()]
"""What every page loads."""

MODELS = ("/ui/models", "/ui/models/titanic", "/ui/models/titanic/comparison?with=titanic@1")

SMALL = b"age,pclass\n25,3\n"


def choose(page: Page, name: str, body: bytes) -> None:
    page.goto("/")
    page.get_by_label("CSV file").set_input_files([{"name": name, "mimeType": "text/csv", "buffer": body}])


@pytest.mark.parametrize(
    ("length_bytes", "text"),
    [(None, ""), (0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (2**28, "256 MiB"), (5 * 2**40, "5,120 GiB")],
)
def test_sizes_are_short(length_bytes: int | None, text: str) -> None:
    assert size(length_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (187_300, "2 d 4 h")],
)
def test_times_are_short(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_file_goes_from_the_check_to_the_download(page: Page, tmp_path: Path) -> None:
    choose(page, "titanic.csv", TITANIC.read_bytes())
    expect(page.get_by_role("heading", name="This file fits titanic@")).to_be_visible()
    expect(page.locator("#check")).to_contain_text("1,309 rows")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("heading", name="titanic.csv")).to_be_visible()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    expect(page.get_by_role("table", name=re.compile("Predicted classes"))).to_be_visible()
    expect(page.get_by_role("columnheader", name="prediction")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the result").click()
    assert download.value.suggested_filename == "titanic-predictions.csv"
    result = tmp_path / "result.csv"
    download.value.save_as(result)
    assert len(result.read_bytes().splitlines()) == 1310
    for form, start in (("NDJSON", b'{"name":'), ("Parquet", b"PAR1")):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"as {form}").click()
        assert download.value.suggested_filename == f"titanic-predictions.{form.lower()}"
        download.value.save_as(result)
        assert result.read_bytes().startswith(start)


def test_a_fix_is_offered_and_works(page: Page) -> None:
    choose(page, "commas.csv", b"age;pclass\n25,5;3\n31,5;1\n")
    expect(page.get_by_role("heading", name="This file does not fit")).to_be_visible()
    page.get_by_role("button", name="Use decimal ,").click()
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)


def test_a_wrong_file_says_what_is_wrong_in_place(page: Page) -> None:
    choose(page, "wrong.csv", b"Age,class,name\n25,3,Ann\n")
    expect(page.locator("#check")).to_contain_text("Column age is missing; the nearest is Age.")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("age")
    expect(page).to_have_url(re.compile("/$"))


def test_a_file_can_be_dropped(page: Page) -> None:
    page.goto("/")
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["age,pclass\\n25,3\\n"], "dropped.csv", { type: "text/csv" }));
            return transfer;
        }"""
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    expect(page.locator("body")).to_have_class("dropping")
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()


def test_one_row_can_be_typed(page: Page) -> None:
    page.goto("/")
    page.get_by_label(re.compile("^age")).fill("25")
    page.get_by_label(re.compile("^pclass")).fill("3")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.locator(".outcome")).to_have_text("Prediction: 0")
    page.get_by_label(re.compile("^age")).fill("old")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a number")
    expect(page.get_by_label(re.compile("^age"))).to_have_value("old")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_on_a_phone_the_outcome_of_a_row_is_in_sight(browser: Browser, stack: Stack, script: bool) -> None:
    context = browser.new_context(
        base_url=stack.url, viewport={"width": 320, "height": 480}, has_touch=True, java_script_enabled=script
    )
    page = context.new_page()
    page.goto("/")
    for age, seen in (("25", ".outcome"), ("old", "#row .problem")):
        page.get_by_label(re.compile("^age")).tap()  # as people do; two quick taps on the button would count as one
        page.get_by_label(re.compile("^age")).fill(age)
        page.get_by_label(re.compile("^pclass")).fill("3")
        with nullcontext() if script else page.expect_popup() as opened:
            page.get_by_role("button", name="Predict the row").tap()
        expect((page if script else opened.value).locator(seen)).to_be_in_viewport()
    context.close()


@pytest.mark.parametrize(
    "page_of", ["", "/", "/predict", "/row", "/jobs/actions", "/jobs/ID/repair", "/jobs/ID/cancel"]
)
def test_a_tab_that_is_loaded_again_after_a_form_shows_a_page(stack: Stack, page_of: str) -> None:
    """Phones close tabs that are not in sight, and ask for their address when they are looked at again."""
    with http_client(stack.url, follow_redirects=False) as http:
        answer = http.get(f"/ui{page_of}")
    to = "/ui/jobs/ID" if "ID" in page_of else "/ui/jobs" if "jobs" in page_of else "/"
    assert (answer.status_code, answer.headers["Location"]) == (303, to)


def test_bad_rows_are_shown_and_corrected_in_place_and_by_file(page: Page, stack: Stack, tmp_path: Path) -> None:
    id = score(stack, b"name,age,pclass\nAnn,25,3\nBo,old,3\nCem,y,1,9\nDo,,x\n")
    page.goto(f"/ui/jobs/{id}")
    expect(page.locator("#progress-text")).to_contain_text("3 of them bad")
    expect(page.get_by_role("region", name="First bad rows")).to_contain_text("has 4 fields")
    page.get_by_label("Row 2, age").fill("too old")
    page.get_by_label("Row 4, pclass").fill("1")
    page.get_by_role("button", name="Predict these rows again").click()
    expect(page.locator("#progress-text")).to_contain_text("2 of them bad")
    expect(page.get_by_label("Row 2, age")).to_have_value("too old")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all of them").click()
    bad = tmp_path / download.value.suggested_filename
    download.value.save_as(bad)
    bad.write_text(bad.read_text().replace("too old", "31").replace("Cem,y,1,9", "Cem,40,1"))
    page.get_by_label("Corrected rows").set_input_files(bad)
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.locator("#progress-text")).to_have_text(re.compile("^4 of 4 rows done, [0-9,]+ rows a second"))
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    expect(page.get_by_role("table", name="First rows of the result")).to_contain_text("Cem")


def test_a_download_of_a_job_that_was_deleted_elsewhere_says_why(page: Page, stack: Stack) -> None:
    id = score(stack, SMALL)
    page.goto(f"/ui/jobs/{id}")
    with http_client(stack.url) as http:
        http.delete(f"/jobs/{id}").raise_for_status()
    page.get_by_role("link", name="Download the result").click()
    expect(page.locator("#news")).to_contain_text(f"Nothing was downloaded. Job {id} was deleted.")


def test_what_cannot_be_corrected_is_said_on_the_page(page: Page, stack: Stack) -> None:
    id = score(stack, b"age,pclass\n25,3\nold,3\n")
    page.goto(f"/ui/jobs/{id}")
    wrong = {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"age\n25\n"}
    page.get_by_label("Corrected rows").set_input_files([wrong])
    page.get_by_role("button", name="Send corrected rows").click()
    expect(page.get_by_role("alert")).to_contain_text("has no column '_row'")
    expect(page.get_by_label("Row 2, age")).to_be_visible()


def test_jobs_are_listed_by_status_and_deleted(page: Page, stack: Stack) -> None:
    id = score(stack, b"age,pclass\n25,3\n")
    page.goto("/ui/jobs")
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=id).click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_role("link", name=id)).to_have_count(0)
    assert page.goto(f"/ui/jobs/{id}").status == 410
    expect(page.get_by_role("heading", name="Job deleted")).to_be_visible()


def test_every_job_that_matches_is_counted_and_then_deleted(page: Page, stack: Stack) -> None:
    ids = [score(stack, SMALL, tags="run:page") for _ in range(2)]
    other = score(stack, SMALL)
    page.goto("/ui/jobs")
    page.get_by_label("Tag").fill("run:page")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name=other)).to_have_count(0)
    page.get_by_label("Every job that matches").select_option("delete")
    page.get_by_role("button", name="Count them first").click()
    expect(page.get_by_role("status").first).to_contain_text("2 jobs match")
    page.get_by_role("button", name="Delete 2").click()
    expect(page.get_by_role("status").first).to_contain_text("Done to 2 of 2")
    page.get_by_role("link", name="All jobs").click()
    expect(page.get_by_role("link", name=other)).to_be_visible()
    for id in ids:
        expect(page.get_by_role("link", name=id)).to_have_count(0)


def test_a_file_whose_name_cannot_be_seen_is_called_by_the_jobs_id(page: Page, stack: Stack) -> None:
    with http_client(stack.url, timeout=90) as http:
        id = http.post("/predict", files={"file": (" \u200b", SMALL)}).json()["id"]
    page.goto("/ui/jobs")
    page.get_by_role("link", name=id).click()
    expect(page.get_by_role("heading", name=id)).to_be_visible()


def test_a_filter_that_is_wrong_says_so(page: Page) -> None:
    page.goto("/ui/jobs?since=yesterday")
    expect(page.get_by_role("alert")).to_contain_text("since")
    expect(page.get_by_label("Since")).to_have_value("yesterday")


def test_models_show_their_features_and_metrics(page: Page) -> None:
    page.goto("/ui/models")
    page.get_by_role("link", name="titanic").click()
    expect(page.get_by_role("heading", name="titanic@1")).to_be_visible()
    expect(page.get_by_role("region", name="Features")).to_contain_text("pclass")
    expect(page.get_by_role("heading", name="Metrics")).to_be_visible()
    expect(page.get_by_text("Fast path for trees: Yes, with the same bits: HistGradient")).to_be_visible()


def test_the_queue_shows_memory_uptime_and_models_of_a_worker(page: Page, stack: Stack) -> None:
    score(stack, SMALL)
    with http_client(stack.url) as http:
        (worker,) = http.get("/queue").json()["workers"]
    assert worker["processes"] == 2
    assert worker["memory_bytes"] > 2**26  # three processes with pandas and scikit-learn
    assert worker["uptime_seconds"] >= 0
    titanic = next(model for model in worker["models"] if model["model"] == "titanic@1")
    assert titanic["processes"] == 2  # each has opened the default model at its start
    assert titanic["file_bytes"] == (stack.models / "titanic" / "1" / "model.pkl").stat().st_size
    page.goto("/ui/queue")
    row = page.get_by_role("row", name=worker["node"])
    expect(row.get_by_role("cell", name="MiB")).to_be_visible()
    expect(row.get_by_role("cell", name=re.compile("titanic@1 .*KiB"))).to_be_visible()
    expect(row).to_contain_text("in use")
    row.get_by_role("link", name="titanic@1").click()
    expect(page.get_by_role("heading", name="titanic@1")).to_be_visible()


@pytest.fixture(scope="module")
def rival(stack: Stack) -> str:
    """A model that takes what the default model takes, and never predicts the same."""
    rows = np.array([[25.0, 3.0], [25.0, 1.0]])
    model = DummyClassifier(strategy="constant", constant=1).fit(rows, [0, 1])
    found = CrossValidation(folds=5, method="KFold", metrics={"accuracy": Interval(mean=0.5, low=0.4, high=0.6)})
    register(stack.models, "rival", model, ["age", "pclass"], cross_validation=found)
    return "rival"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_two_models_are_chosen_and_compared(browser: Browser, stack: Stack, rival: str, script: bool) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=script)
    page = context.new_page()
    choose(page, "two.csv", b"age,pclass\n25,3\n26,3\n27,3\n")
    page.locator("summary", has_text="Result").click()
    page.get_by_label("Second model").fill(f"{rival}@1")
    if script:
        page.get_by_label("Second model").blur()
        expect(page.get_by_role("heading", name=f"fits titanic@1 and {rival}@1")).to_be_visible()
        expect(page.get_by_role("rowheader", name=rival)).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    expect(page.locator(".outcome")).to_have_text("The two models disagree in 3 rows (100.00%).")
    expect(page.locator("figure").get_by_role("table")).to_have_count(2)
    expect(page.locator("figcaption").first).to_contain_text("titanic. Predicted classes")
    expect(page.get_by_role("columnheader", name=f"prediction_{rival}")).to_be_visible()
    page.goto("/ui/jobs")
    expect(page.get_by_role("cell", name=f"titanic@1, {rival}@1").first).to_be_visible()
    page.goto(f"/ui/models/{rival}")
    expect(page.get_by_text("0.5 (0.4 to 0.6)")).to_be_visible()
    expect(page.get_by_text("Mean and 95 % t-interval of 5 folds (KFold).")).to_be_visible()
    context.close()


def test_without_javascript_a_file_is_sent_followed_and_downloaded(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=False, accept_downloads=True)
    page = context.new_page()
    choose(page, "titanic.csv", TITANIC.read_bytes())
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the result").click()
    assert download.value.suggested_filename == "titanic-predictions.csv"
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete this job and its files").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    choose(page, "wrong.csv", b"Age,class\n25,3\n")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("age")
    expect(page.locator("#row noscript .hint").first).to_have_text("The button Back shows what you typed here before.")
    context.close()


def test_axe_finds_nothing(browser: Browser, stack: Stack) -> None:
    id = score(stack, TITANIC.read_bytes() + b"old,3\n")
    context = browser.new_context(base_url=stack.url, bypass_csp=True)
    page = context.new_page()
    for path in ("/", "/ui/jobs", f"/ui/jobs/{id}", *MODELS, "/ui/queue", "/ui/jobs/none"):
        page.goto(path)
        if path == "/":
            choose(page, "commas.csv", b"age;pclass\n25,5;3\n")
            expect(page.get_by_role("heading", name="This file does not fit")).to_be_visible()
            for title in ("Reading the file", "Result", "Job"):
                page.locator("summary", has_text=title).click()
            page.get_by_label("Tags").fill("nightly")
            page.get_by_label("Tags").blur()
            expect(page.locator("[aria-invalid]")).to_have_count(1)
        if path in (f"/ui/jobs/{id}", "/ui/models/titanic"):
            expect(page.get_by_role("img", name=re.compile("^age"))).to_be_visible()
        assert axe_faults(page) == "", path
    context.close()


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400)])
def test_nothing_is_cut_off_on_a_phone_or_at_twice_the_size(
    browser: Browser, stack: Stack, width: int, height: int
) -> None:
    id, bad = score(stack, TITANIC.read_bytes()), score(stack, b"age,pclass\n25,3\nold,3\n")
    long = score(stack, b"age,pclass\n%s,3\n" % (b"x" * 100))  # every row is bad, and the job's page says which cell
    jobs = [f"/ui/jobs/{one}" for one in (id, bad, long)]
    context = browser.new_context(base_url=stack.url, viewport={"width": width, "height": height})
    page = context.new_page()
    for path in ("/", "/ui/jobs", *jobs, *MODELS, "/ui/queue"):
        page.goto(path)
        for unfolded in page.locator("summary").all():
            unfolded.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        if path.endswith(bad):
            cell = page.get_by_label("Row 2, age").bounding_box()
            assert cell["x"] + cell["width"] <= width
        if path.endswith(id):  # the label of a class is as large as other text
            box = page.locator(".bars th span").first.bounding_box()
            assert 20 <= box["height"] <= 40, "in one line"
    context.close()


def test_long_rows_of_letters_of_several_bytes_are_shown(page: Page, stack: Stack) -> None:
    row = "25,3," + "ё" * 1_001 + "\n"
    id = score(stack, ("age,pclass,review\n" + row * 600).encode())
    page.goto(f"/ui/jobs/{id}")
    expect(page.get_by_role("region", name="First rows of the result")).to_contain_text("ёёё")


def test_the_keyboard_alone_sends_a_row(page: Page) -> None:
    page.goto("/")
    page.get_by_label(re.compile("^age")).focus()
    page.keyboard.type("25")
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator(".outcome")).to_have_text("Prediction: 0")


def test_a_page_with_all_that_it_loads_is_small(page: Page, stack: Stack) -> None:
    id = score(stack, TITANIC.read_bytes() + b"old,3\n" * 20)
    for path in ("/", "/ui/jobs", f"/ui/jobs/{id}", *MODELS, "/ui/queue"):
        page.goto(path)
        loaded, sent_bytes = page.evaluate(
            """() => {
                const files = performance.getEntriesByType("resource");
                const sent = [...performance.getEntriesByType("navigation"), ...files];
                return [files.map(({ name }) => name), sent.reduce((sum, one) => sum + one.encodedBodySize, 0)];
            }"""
        )
        assert {re.sub(r".*/static/[0-9a-f]+/", "/static/", url) for url in loaded} <= set(LOADED), path
        assert 10_000 < sent_bytes < 34_000, path


@pytest.mark.parametrize("path", ["/", "/ui/jobs"])
def test_what_is_chosen_does_not_depend_on_the_words_of_a_translated_page(stack: Stack, path: str) -> None:
    with http_client(stack.url) as http:
        page = http.get(path).text
    assert "<option" in page
    assert not re.findall(r"<option(?! value=)[^>]*>", page)


def test_a_form_of_another_site_is_refused(stack: Stack) -> None:
    with http_client(stack.url) as http:
        files = {"file": ("in.csv", b"age,pclass\n25,3\n")}
        answer = http.post("/ui/predict", files=files, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
        answer = http.post("/predict", files=files, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
        assert http.get("/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.xdist_group("guarded pages")
def test_with_keys_it_asks_for_one_and_keeps_it_for_the_tab(guarded_page: tuple[Page, str]) -> None:
    page, secret = guarded_page
    assert page.goto("/").status == 401
    page.get_by_label("API key").fill("“wrong”")
    page.get_by_role("button", name="Use this key").click()
    assert page.get_by_label("API key").evaluate("(field) => field.validity.patternMismatch")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("does not know this API key")).to_be_visible()
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    page.get_by_label("CSV file").set_input_files([{"name": "报 (1).csv", "mimeType": "text/csv", "buffer": SMALL}])
    expect(page.get_by_role("heading", name="This file fits")).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_have_text("succeeded", timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the result").click()
    assert download.value.suggested_filename == "报 (1)-predictions.csv"
    assert Path(download.value.path()).read_bytes() == b"age,pclass,prediction\n25,3,0\n"
    page.get_by_role("link", name="Predict").click()
    page.get_by_label(re.compile("^age")).fill("25")
    page.get_by_label(re.compile("^pclass")).fill("3")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.locator(".outcome")).to_have_text("Prediction: 0")
    page.get_by_role("link", name="Jobs").click()
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="报 (1).csv")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="报 (1).csv")).to_be_visible()
    page.get_by_label("Every job that matches").select_option("delete")
    page.get_by_role("button", name="Count them first").click()
    expect(page.get_by_role("status").first).to_contain_text("2 jobs match")
    another_tab = page.context.new_page()
    another_tab.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('no'); } })")
    assert another_tab.goto("/ui/jobs").status == 401
    another_tab.get_by_label("API key").fill(secret)
    another_tab.get_by_role("button", name="Use this key").click()
    expect(another_tab.get_by_role("heading", name="Jobs")).to_be_visible()
