"""The form of one row: what is pasted into it, and that it costs nothing else that is typed or chosen."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from held_requests import hold_requests
from playwright.sync_api import Browser, Page, expect
from programs import Stack
from registering import register
from sklearn.dummy import DummyClassifier

SMALL = b"age,pclass\n25,3\n"


@pytest.fixture
def row_of(quiet: Page) -> Callable[[str], list[str]]:
    """Pastes a text into the first field of the row, which is filled already, and returns its fields by then."""
    quiet.context.grant_permissions(["clipboard-read", "clipboard-write"])
    quiet.goto("/")
    age, pclass = quiet.get_by_label(re.compile("^age")), quiet.get_by_label(re.compile("^pclass"))

    def paste(text: str) -> list[str]:
        age.fill("99")
        pclass.fill("88")
        quiet.evaluate("text => navigator.clipboard.writeText(text)", text)
        age.select_text()
        quiet.keyboard.press("Control+v")
        return [age.input_value(), pclass.input_value()]

    return paste


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("age\tpclass\n25\t3\n", ""),
        ("pclass\tage\r\n3\t25\r\n", ""),
        ('name,age,pclass\n"Ann, ""A""",25,3', "Left out 1 pasted cell, for which there is no field."),
        ("pclass;age\n3;25\n1;60", "Left out 2 pasted cells, for which there is no field."),
        ("25\t3", ""),
        ("pclass\t3\nage\t25\n", ""),
        ("PCLASS\tAge\r\n3\t25\r\n", ""),
        ('"2\n5"\t3\r\n', ""),
    ],
)
def test_cells_go_into_the_fields_of_their_columns(
    quiet: Page, row_of: Callable[[str], list[str]], text: str, left: str
) -> None:
    assert [cell.replace(" ", "") for cell in row_of(text)] == ["25", "3"]
    expect(quiet.locator("#news")).to_have_text(left)


def test_a_header_of_one_column_leaves_the_others_as_they_are(row_of: Callable[[str], list[str]]) -> None:
    assert row_of("pclass\n3\n") == ["99", "3"]
    assert row_of("age\n25\n") == ["25", "88"]
    assert row_of("name\tage\nAnn\t25\n") == ["25", "88"]


def test_what_was_pasted_is_undone_and_what_was_left_out_is_said_once(
    quiet: Page, row_of: Callable[[str], list[str]]
) -> None:
    for _ in range(2):
        row_of("25\t3\t1")
        expect(quiet.locator("#news")).to_have_text("Left out 1 pasted cell, for which there is no field.")
    row_of("25\t3")
    expect(quiet.locator("#news")).to_be_hidden()
    for _ in range(2):
        quiet.keyboard.press("Control+z")
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("99")
    expect(quiet.get_by_label(re.compile("^pclass"))).to_have_value("88")


def test_without_a_script_a_row_costs_no_file_that_is_chosen_and_no_option(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("CSV file").set_input_files([{"name": "a.csv", "mimeType": "text/csv", "buffer": SMALL}])
    page.locator("summary", has_text="Job").click()
    page.get_by_label("Tags").fill("run:nightly")
    page.get_by_label(re.compile("^age")).fill("25")
    page.get_by_label(re.compile("^pclass")).fill("3")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Predict the row").click()
    expect(opened.value.locator(".outcome")).to_have_text("Prediction: 0")
    expect(page.get_by_label(re.compile("^age"))).to_have_value("25")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("heading", name="a.csv")).to_be_visible()
    expect(page.get_by_text("run:nightly")).to_be_visible()
    context.close()


def test_a_row_whose_model_was_removed_stays_typed(quiet: Page) -> None:
    quiet.goto("/")
    quiet.get_by_label(re.compile("^age")).fill("25")
    quiet.evaluate("document.getElementsByName(':model')[0].value = 'removed'")
    quiet.get_by_role("button", name="Predict the row").click()
    expect(quiet.get_by_role("alert")).to_contain_text("no model 'removed'")
    expect(quiet.get_by_label(re.compile("^age"))).to_have_value("25")


def test_further_rows_that_are_pasted_do_not_go_into_the_fields_of_the_first(
    row_of: Callable[[str], list[str]],
) -> None:
    assert row_of("25\n40\t1") == ["25", "88"]
    assert row_of("25\n3") == ["25", "3"]


def test_what_became_of_a_row_is_said_although_another_model_is_chosen_by_then(page: Page, stack: Stack) -> None:
    columns = ["after", "dataset", "closest", "elements", "isConnected"]  # a form has such members, too
    estimator = DummyClassifier(strategy="constant", constant=1).fit(np.ones((2, len(columns))), [0, 1])
    register(stack.models, "members", estimator, columns)
    held = hold_requests(page, "**/ui/row")
    page.goto("/?model=members")
    for text, said in (("1", "Prediction: 1"), ("x", "must be a number")):
        page.get_by_label("Model", exact=True).select_option("members")
        for column in columns:
            page.get_by_label(re.compile(f"^{column}")).fill(text)
        with page.expect_request("**/ui/row"):
            page.get_by_role("button", name="Predict the row").click()
        page.get_by_label("Model", exact=True).select_option("titanic")
        expect(page.get_by_label(re.compile("^pclass"))).to_be_visible()
        held.pop().continue_()
        expect(page.locator("#news")).to_contain_text(said)
    page.get_by_label("Model", exact=True).select_option("members")
    page.get_by_label(re.compile("^after")).fill("x")
    with page.expect_request("**/ui/row"):
        page.get_by_role("button", name="Predict the row").click()
    held.pop().abort()
    expect(page.get_by_role("alert")).to_contain_text("Nothing that you typed is lost")


def test_the_form_of_a_row_is_that_of_the_chosen_model(page: Page, stack: Stack) -> None:
    estimator = DummyClassifier(strategy="constant", constant=1).fit(np.array([[1.0, 3.0], [2.0, 4.0]]), [0, 1])
    register(stack.models, "rich", estimator, ["age", " income"])
    page.goto("/")
    age, pclass = page.get_by_label(re.compile("^age")), page.get_by_label(re.compile("^pclass"))
    income, model = page.get_by_label(re.compile(r"^\s*income")), page.get_by_label("Model", exact=True)
    age.fill("25")
    pclass.fill("3")
    model.select_option("rich")
    income.fill("7")
    expect(age).to_have_value("25")
    page.get_by_role("button", name="Predict the row").click()
    expect(page.locator(".outcome")).to_have_text("Prediction: 1")
    page.reload()
    expect(income).to_have_value("7")
    expect(model).to_have_value("rich")
    model.select_option("titanic")
    expect(pclass).to_have_value("3")
    page.goto("/?model=rich")
    expect(model).to_have_value("rich")
    expect(income).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('income\\tage\\n8\\t26')")
    age.press("Control+v")
    expect(income).to_have_value("8")
    page.goto("/?model=titanic@1")
    expect(model).to_have_value("titanic@1")  # the file and the row go to this version, as the link says

    register(
        stack.models, "vast", DummyClassifier().fit(np.zeros((2, 61)), [0, 1]), [f"f{place}" for place in range(61)]
    )
    page.goto("/?model=vast")
    expect(page.locator("#row")).to_have_text("vast@1 takes 61 features: send a row as a file.")
    model.select_option("titanic")
    pclass.fill("2")
    model.select_option("vast")
    expect(pclass).to_be_hidden()  # it would be a row of another model than the chosen one
    model.select_option("titanic")
    expect(pclass).to_have_value("2")
