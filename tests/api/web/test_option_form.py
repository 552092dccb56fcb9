"""The form's fields for the options: every option is there, and what is wrong is said at its field."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from programs import Stack, http_client
from registering import register

from api.services import Services
from api.web.home import _models
from api.web.option_form import filled, form_groups, option_faults
from rowcast.jobs.option_table import OPTIONS
from rowcast.jobs.options import Options
from rowcast.models.default_model import DefaultModel
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage

FILE = {"name": "in.csv", "mimeType": "text/csv", "buffer": b"id;age;pclass\n7;25,5;3\n"}
TYPED = {
    "delimiter": ";",
    "decimal": ",",
    "encoding": "windows-1252",
    "na_values": "NA,n/a",
    "header": "true",
    "output": "predictions",
    "key": "id",
    "probabilities": "true",
    "scores": "true",
    "threshold": "0.3",
    "top": "2",
    "explain": "1",
    "prediction_column": "survives",
    "columns": "survives:label, top_2,prediction_error",
    "on_error": "column",
    "max_errors": "3",
    "fail_if_drift": "0.5",
    "guard_formulas": "true",
    "priority": "low",
    "expires_in": "2h",
    "tags": "run:nightly,team:risk",
}
"""A value for every option that is not one of `OTHERS`."""
OTHERS = {"model", "reuse", "webhook"}


def test_every_option_has_a_field_that_takes_its_values() -> None:
    fields = [field for group in form_groups({}, {}) for field in group.fields]
    assert sorted(field.name for field in fields) == sorted(OPTIONS.keys() - {"model"})
    assert len({field.label for field in fields}) == len(fields)
    for field in fields:
        for value, _ in field.choices:
            Options(**{field.name: value})
        if field.choices:
            assert getattr(Options(**{field.name: field.value}), field.name) == OPTIONS[field.name].default
        assert field.kind != "check" or not field.is_checked


def test_fields_left_empty_are_not_given() -> None:
    assert Options(**filled({"tags": "", "webhook": " ", "max_errors": "", "na_values": "", "key": "id"})) == Options(
        key=("id",)
    )


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (None, {}),
        ({"type": "x", "errors": [{"where": "tags", "message": "a"}]}, {"tags": "a"}),
        ({"type": "x", "errors": [{"where": "key.id", "message": "a"}]}, {"key": "a"}),
        ({"type": "x", "errors": [{"where": "header.age", "message": "missing"}]}, {}),
        (
            {"type": "urn:rowcast:problem:column-clash", "errors": [{"where": "header.p", "message": "a"}]},
            {"prediction_column": "a"},
        ),
        (
            {"type": "urn:rowcast:problem:column-clash", "errors": [{"where": "columns.p", "message": "a"}]},
            {"columns": "a"},
        ),
    ],
)
def test_a_problem_is_about_the_options_that_it_names(problem: dict[str, Any] | None, said: dict[str, str]) -> None:
    assert option_faults(problem) == said


def unfold(page: Page) -> None:
    for title in ("Reading the file", "Result", "Job"):
        page.locator("summary", has_text=title).click()


def fill(page: Page, typed: dict[str, str]) -> None:
    for name, value in typed.items():
        field = page.locator(f"#o-{name}")
        if field.get_attribute("type") == "checkbox":
            field.check()
        elif field.evaluate("field => field.localName") == "select":
            field.select_option(value)
        else:
            field.fill(value)


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def made_by(page: Page, stack: Stack) -> dict[str, Any]:
    """Returns the options and tags of the job whose page is shown, and deletes it."""
    expect(page.locator("#status")).to_have_text("queued")
    address = page.url.replace("/ui", "")
    with http_client(stack.url) as http:
        job = http.get(address).json()
        http.delete(address)
    return {**job["options"], "tags": job["tags"]}


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def context(browser: Browser, gateway: Stack, request: pytest.FixtureRequest) -> BrowserContext:
    context = browser.new_context(base_url=gateway.url, java_script_enabled=request.param)
    yield context
    context.close()


def test_every_option_of_the_form_reaches_the_job(context: BrowserContext, gateway: Stack) -> None:
    assert set(TYPED) | OTHERS == set(OPTIONS)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("#o-tags")).to_be_hidden()
    unfold(page)
    fill(page, TYPED)
    page.get_by_label("CSV file").set_input_files([FILE])
    predict(page)
    wanted = json.loads(Options(**TYPED).model_dump_json(exclude=OTHERS))
    options = made_by(page, gateway)
    assert {name: options[name] for name in wanted} == wanted


def test_what_is_wrong_stands_at_the_field_and_what_was_typed_stays(context: BrowserContext, gateway: Stack) -> None:
    page = context.new_page()
    page.goto("/")
    unfold(page)
    fill(page, {"tags": "nightly", "max_errors": "many", "webhook": "https://example.org/hook", "decimal": ","})
    page.get_by_label("CSV file").set_input_files([FILE])
    predict(page)
    expect(page.get_by_label("Tags")).to_have_accessible_description(re.compile("must be pairs, for example run:"))
    expect(page.get_by_label("Most bad rows allowed")).to_have_accessible_description(re.compile("valid integer"))
    expect(page.locator("[aria-invalid]")).to_have_count(2)
    expect(page.get_by_label("Webhook")).to_have_value("https://example.org/hook")
    expect(page.get_by_label("Decimal mark")).to_have_value(",")
    expect(page.get_by_role("alert")).to_contain_text("max_errors")
    fill(page, {"tags": "run:nightly", "max_errors": "3", "webhook": ""})
    if (
        page.evaluate("document.getElementById('file').files.length") == 0
    ):  # a page that the server sends again cannot keep it
        page.get_by_label("CSV file").set_input_files([FILE])
    predict(page)
    assert made_by(page, gateway)["max_errors"] == 3


def test_the_check_marks_fields_and_a_key_that_the_file_lacks(quiet: Page) -> None:
    quiet.goto("/")
    quiet.locator("summary", has_text="Result").focus()
    quiet.keyboard.press("Enter")
    quiet.get_by_label("Key columns").fill("identity")
    quiet.get_by_label("CSV file").set_input_files([FILE])
    expect(quiet.get_by_label("Key columns")).to_have_accessible_description(re.compile("is not in the header"))
    quiet.get_by_label("Key columns").fill("id")
    quiet.get_by_label("Key columns").press("Tab")
    expect(quiet.locator("[aria-invalid]")).to_have_count(0)


def test_an_empty_form_says_what_is_missing(gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        answer = http.post("/ui/predict", data={"tags": "a:<b>", "model": "titanic"}, files={"other": ("x", b"")})
        assert answer.status_code == 422
        assert 'value="a:&lt;b&gt;"' not in answer.text  # the form was not read to its end
        assert http.post("/ui/predict", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 400


def test_without_a_default_model_the_form_is_that_of_the_first_one(tmp_path: Path) -> None:
    for name in ("mine", "yours"):
        register(tmp_path, name, None, ["age"])
    registry = Registry(Storage(str(tmp_path)))
    for settings, found in ((Settings.read(), "mine"), (Settings.read(default_model="titanic"), None)):
        services = SimpleNamespace(registry=registry, default_model=DefaultModel(registry, settings))
        manifest, names, reason = _models(cast(Services, services), None)
        assert (manifest and manifest.name, names, reason is None) == (found, ["mine", "yours"], bool(found))
