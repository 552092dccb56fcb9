"""The report about a training: what it says, compared with scikit-learn, and how it looks in a browser."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_faults import axe_faults
from playwright.sync_api import Browser, Page, expect
from registering import FEW_ALONE
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, average_precision_score, brier_score_loss, confusion_matrix, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.fitting.held_out import HeldOut
from training.report.charts import Axis, axis_over, number
from training.report.figures import confusion, importances
from training.train import train
from training.train_options import TrainOptions

pytestmark = pytest.mark.xdist_group("train options")

ROWS = 150


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> Path:
    """Rows with two classes, three classes and an amount; a name and a class need HTML's escapes."""
    chance = np.random.default_rng(4)
    table = pd.DataFrame({"a<b": chance.normal(size=ROWS).round(3), "z": chance.normal(size=ROWS).round(3)})
    table["two"] = np.where(table["a<b"] + chance.normal(size=ROWS) > 0, "<yes>", "no")
    table["three"] = np.array(["x", "y", "z"])[(chance.integers(0, 2, ROWS) + (table["z"] > 0)).astype(int)]
    table["amount"] = (table["a<b"] * 3 + chance.normal(size=ROWS)).round(2)
    path = tmp_path_factory.mktemp("flowers") / "flowers.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def reports(flowers: Path) -> dict[str, Path]:
    """A report for each target."""
    registry = Registry(Storage(str(flowers.parent / "models")))
    found = {}
    for target in ("two", "three", "amount"):
        found[target] = flowers.with_name(f"{target}.html")
        train(
            *(flowers, target, target, registry),
            features=["a<b", "z"],
            estimator="logistic_regression",
            description="Only <b>a test</b>.",
            options=TrainOptions(report=found[target], cross_validate=3 if target == "two" else None),
            alone=FEW_ALONE,
        )
    return found


def test_the_measures_are_those_of_scikit_learn(reports: dict[str, Path], flowers: Path) -> None:
    table = pd.read_csv(flowers)
    rest = np.arange(1, ROWS)  # the first row always is fitted to
    fitted_on, rows = train_test_split(rest, test_size=0.2, random_state=0, stratify=table["two"][rest])
    registry = Registry(Storage(str(flowers.parent / "models")))
    fitted_on = np.sort(np.append(fitted_on, 0))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0))
    model.fit(table[["a<b", "z"]].iloc[fitted_on], table["two"][fitted_on])
    held_out = table.iloc[np.sort(rows)]
    inputs, values = held_out[["a<b", "z"]], held_out["two"]
    assert model.classes_.tolist() == ["<yes>", "no"]
    is_second, second = values == "no", model.predict_proba(inputs)[:, 1]
    rates = roc_curve(is_second, second)
    page = reports["two"].read_text()
    assert f"ROC AUC {auc(rates[0], rates[1]):.3f}" in page
    assert f"average precision {average_precision_score(is_second, second):.3f}" in page
    assert f"Brier score {brier_score_loss(is_second, second):.3f}" in page
    counts = re.findall(r'<td style="background[^>]*>(\d+)</td>', page)
    assert list(map(int, counts)) == confusion_matrix(values, model.predict(inputs)).ravel().tolist()
    found = permutation_importance(model, inputs, values, scoring="roc_auc", n_repeats=5, random_state=0)
    for mean, deviation in zip(found.importances_mean, found.importances_std, strict=True):
        assert f"{mean:.4f} ± {deviation:.4f}" in page
    folds = registry.resolve("two").cross_validation
    assert f"<td>{folds.metrics['accuracy']}</td>" in page


@pytest.mark.parametrize("target", ["two", "three", "amount"])
def test_a_report_is_one_file_without_scripts_addresses_or_markup_of_users(reports: dict[str, Path], target) -> None:
    page = reports[target].read_text()
    assert not re.search(r"<script|<link|<img|\bsrc=|\bhref=|url\(|@import|https?:", page)
    assert "a&lt;b" in page
    assert "Only &lt;b&gt;a test&lt;/b&gt;." in page
    assert not re.search("<yes>|a<b", page)
    assert "NaN" not in page
    assert page.count('<svg viewBox="0 0 440 330" role="img" aria-label="') == 3


HEADINGS = {
    "two": ["ROC curve", "Precision and recall", "Calibration", "Confusion matrix"],
    "three": ["ROC curve", "Precision and recall", "Calibration", "Confusion matrix"],
    "amount": ["Predicted and actual", "Residuals", "Distribution of the residuals"],
}


def test_axe_finds_nothing_and_nothing_is_cut_off_on_a_phone(browser: Browser, reports: dict[str, Path]) -> None:
    context = browser.new_context(bypass_csp=True, offline=True)
    page: Page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    for target, file in reports.items():
        page.goto(file.as_uri())
        assert page.get_by_role("heading", level=3).all_inner_texts() == HEADINGS[target]
        expect(page.get_by_role("heading", name="Importance of the features")).to_be_visible()
        assert axe_faults(page) == "", target
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, target
        page.set_viewport_size({"width": 1100, "height": 800})
    assert faults == []
    context.close()


def test_many_classes_share_the_last_place_of_a_confusion_matrix() -> None:
    class Echo:
        classes_ = np.arange(30)

        def predict(self, table):
            return table["x"].to_numpy()

    values = np.array([0] * 9 + [1] * 5 + [2, 3])
    table = pd.DataFrame({"x": [0] * 8 + [7] + [1] * 5 + [3, 2]})
    labels, counts = confusion(HeldOut(Echo(), table, values, {}, None, 16), 3)
    assert labels == ["0", "1", "others"]
    assert counts == [[8, 0, 1], [0, 5, 0], [0, 0, 2]]


def test_importance_is_measured_also_if_one_class_is_absent() -> None:
    table = pd.DataFrame({"p": [0.1, 0.2, 0.9]})
    model = LogisticRegression().fit(table, ["no", "no", "yes"])
    metric, found = importances(HeldOut(model, table, np.array(["no"] * 3), {}, None, 3))
    assert metric == "balanced_accuracy"
    assert [one.feature for one in found] == ["p"]


def test_axes_have_round_ticks_also_for_odd_ranges() -> None:
    assert [number(tick) for tick in Axis("", 0, 1).ticks()] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert [number(tick) for tick in axis_over("", [1.2e6, 4.4e6]).ticks()] == ["2e+06", "3e+06", "4e+06"]
    for values in ([5.0], [0.0, 0.0], [1e300, -1e300], [], [1e-9, 2e-9]):
        assert 1 <= len(axis_over("", values).ticks()) <= 12, values


def test_a_report_that_cannot_be_written_does_not_lose_the_model(registry, flowers: Path, tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "gone" / "report.html"
    path.parent.mkdir()

    def say(finding: str) -> None:
        said.append(finding)
        if finding.startswith("Metrics"):
            path.parent.rmdir()

    options = TrainOptions(report=path)
    train(
        *(flowers, "two", "m", registry),
        features=["z"],
        estimator="logistic_regression",
        options=options,
        alone=FEW_ALONE,
        say=say,
    )
    assert registry.versions("m") == ["1"]
    assert "The report could not be written" in said[-1]
