"""The quick start keeps its word: each way leads to predictions, with nothing but what the page says."""

import re

import pandas
import pytest
from playwright.sync_api import Browser, expect
from quickstart import QUICKSTART, Folder, block

from tools.run_notebook import execute, outputs

pytestmark = pytest.mark.xdist_group("quickstart")


def expected(folder: Folder) -> pandas.Series:
    """Returns what the reader's own script predicts."""
    table = pandas.read_csv(folder.path / "customers.csv")
    return pandas.read_pickle(folder.path / "model.pkl").predict(table[["age", "visits"]])


def test_by_page(browser: Browser, started: Folder) -> None:
    context = browser.new_context(base_url=started.url, accept_downloads=True)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Model", exact=True).select_option("churn")
    page.get_by_label("CSV file").set_input_files(started.path / "customers.csv")
    expect(page.get_by_role("heading", name="This file fits churn@1")).to_be_visible()
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_role("table", name=re.compile("Predicted classes"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the result").click()
    result = pandas.read_csv(download.value.path())
    assert (result["prediction"] == expected(started)).all()
    context.close()


def test_by_command_line(started: Folder) -> None:
    started.run(block("terminal"))
    result = started.path / "predictions.csv"
    assert (pandas.read_csv(result)["prediction"] == expected(started)).all()
    result.unlink()


def test_by_python(started: Folder) -> None:
    assert started.python(block("python")) == "False\n"
    assert (pandas.read_csv(started.path / "predictions.csv")["prediction"] == expected(started)).all()


def test_in_five_lines_from_a_notebook(started: Folder) -> None:
    from nbformat.v4 import new_code_cell, new_notebook

    lines = block("notebook")
    assert len(lines.splitlines()) == 5
    before = "import pandas; model = pandas.read_pickle('model.pkl'); customers = pandas.read_csv('customers.csv')"
    after = "bool((_['prediction'] == model.predict(customers[['age', 'visits']])).all())"
    notebook = new_notebook(cells=[new_code_cell(before), new_code_cell(lines), new_code_cell(after)])
    execute(notebook, started.path, started.environment)
    _, shown, equal = outputs(notebook)
    assert "prediction" in shown[-1]
    assert equal == ["True"]


def test_every_block_is_run_by_one_of_these_tests() -> None:
    marks = re.findall(r"<!-- (\w+) -->\n```", QUICKSTART)
    assert marks == ["files", "register", "start", "terminal", "python", "notebook"]
    assert re.findall(r"(?<!-->\n)```sh\n(.*?)```", QUICKSTART, re.DOTALL) == ["pip install '.[local]'\n"], (
        "test_make.py has it"
    )
