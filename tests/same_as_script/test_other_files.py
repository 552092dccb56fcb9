"""Files whose columns pandas types otherwise than the sample's: predicted as by the script, or bad, never otherwise.

Each column of the file differs from the sample's in one way. Models that take the difference (an imputer, an encoder)
must predict every row; a model that distinguishes the types may call rows bad, or be refused at registration.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, differences, fit, register, scored, write_csv
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from rowcast.errors import RowcastError

ROWS = 200


def of(*cells: str) -> list[str]:
    return [cells[index] for index in np.random.default_rng(1).integers(0, len(cells), ROWS)]


def but(cells: Sequence[str], cell: str, *rows: int) -> list[str]:
    """Returns the cells with another one in these rows."""
    return [cell if row in rows else old for row, old in enumerate(cells)]


INTEGERS, FLOATS, FLAGS = of("1", "2", "3", "40"), of("0.5", "1.25", "7.0"), of("True", "False")
TOWNS = of("Aix", "Bonn", "Oslo")

CHANGES = {
    "a gap in whole numbers": (INTEGERS, but(INTEGERS, "", 150)),
    "an NA in whole numbers": (INTEGERS, but(INTEGERS, "NA", 3, 199)),
    "whole numbers without the sample's gaps": (but(INTEGERS, "", 7, 70), INTEGERS),
    "a fraction among whole numbers": (INTEGERS, but(INTEGERS, "2.5", 150)),
    "a point after whole numbers": (INTEGERS, but(INTEGERS, "3.0", 150)),
    "only whole numbers in a column of floats": (FLOATS, of("7", "2")),
    "a number over 64 bits among whole numbers": (INTEGERS, but(INTEGERS, str(2**64), 150)),
    "a number over 63 bits among whole numbers": (INTEGERS, but(INTEGERS, str(2**63), 150)),
    "leading zeros in whole numbers": (INTEGERS, but(INTEGERS, "007", 150)),
    "a gap in floats": (FLOATS, but(FLOATS, "", 150)),
    "nothing but gaps in floats": (but(FLOATS, "", 7), [""] * ROWS),
    "nothing but gaps in whole numbers": (but(INTEGERS, "", 7), [""] * ROWS),
    "a gap in booleans": (FLAGS, but(FLAGS, "", 150)),
    "booleans without the sample's gaps": (but(FLAGS, "", 7, 70), FLAGS),
    "ones and zeros for booleans": (FLAGS, of("1", "0")),
    "other spellings of booleans": (FLAGS, of("true", "FALSE")),
    "nothing but gaps in booleans": (but(FLAGS, "", 7), [""] * ROWS),
    "a gap in text": (TOWNS, but(TOWNS, "", 150)),
    "an NA in text whose sample has empty cells": (but(TOWNS, "", 7), but(TOWNS, "NA", 150)),
    "every NA text in text": (but(TOWNS, "", 7), [*TOWNS[:-4], "null", "None", "<NA>", "nan"]),
    "every NA text in floats": (but(FLOATS, "", 7), [*FLOATS[:-4], "null", "None", "<NA>", "-nan"]),
    "nothing but gaps in text": (but(TOWNS, "", 7), [""] * ROWS),
    "an unseen text": (TOWNS, but(TOWNS, "Rome", 150)),
}

SCRIPT_RAISES = {"nothing but gaps in booleans", "nothing but gaps in text"}
"""Files that the script itself fails for: pandas makes floats of a column without values, which encoders refuse."""

OUT_OF_RANGE = 2**63
"""A whole number from here on may be a bad row: it does not fit what the sample's column is read as."""


def tolerant(kind: str) -> Any:
    """Returns what users write for such a column; it does not distinguish the types."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if kind == "numbers":
        return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), users_code.Checksum())
    return make_pipeline(one_hot, users_code.Checksum())


def distinguishing(kind: str) -> Any:
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(FunctionTransformer(users_code.as_python_text), one_hot, users_code.Checksum())


def ordinal(kind: str) -> Any:
    known = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return make_pipeline(known, users_code.Checksum())


def kind_of(change: str) -> str:
    return "numbers" if "number" in change or "floats" in change else "words"


def compared(
    folder: Path, change: str, make: Callable[[str], Any], may_be_bad: Callable[[Any], bool]
) -> list[str] | RowcastError:
    """Returns what differs, or why the model is refused."""
    cells, others = CHANGES[change]
    other = [str(index) for index in range(ROWS)]
    sample = write_csv(folder / "sample.csv", {"x": cells, "y": other})
    file = write_csv(folder / "file.csv", {"x": others, "y": other})
    rows = pd.read_csv(sample)[["x"]]
    model = fit(make(kind_of(change)), rows, np.zeros(ROWS))
    write_csv(folder / "sample.csv", {"x": cells})
    try:
        served = register(folder, model, sample, Reading())
    except RowcastError as refusal:
        return refusal
    return differences(model, served, file, ["x"], Reading(), may_be_bad)


def is_out_of_range(row: Any) -> bool:
    return str(row["x"]).isdigit() and int(row["x"]) >= OUT_OF_RANGE


@pytest.mark.parametrize("make", [tolerant, ordinal])
@pytest.mark.parametrize("change", [change for change in CHANGES if change not in SCRIPT_RAISES])
def test_a_model_that_takes_the_difference_predicts_every_row(
    tmp_path: Path, change: str, make: Callable[[str], Any]
) -> None:
    assert compared(tmp_path, change, make, is_out_of_range) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_distinguishes_types_never_predicts_otherwise(tmp_path: Path, change: str) -> None:
    """Any row may be bad, and the model may be refused: but what is predicted is what the script predicts."""
    found = compared(tmp_path, change, distinguishing, lambda row: True)
    assert isinstance(found, RowcastError) or found == []


HOURS = [f"2024-01-{day:02} {hour:02}:00:00" for day, hour in zip(range(1, 29), [*range(24), 1, 2, 3, 4], strict=True)]

OTHER_DATES = {
    "another offset": ([hour + "+01:00" for hour in HOURS], [hour + "+02:00" for hour in HOURS]),
    "two offsets": ([hour + "+01:00" for hour in HOURS], but([hour + "+01:00" for hour in HOURS], HOURS[0] + "Z", 9)),
    "an offset for UTC": ([hour + "Z" for hour in HOURS], [hour + "-0130" for hour in HOURS]),
    "another way to write UTC": ([hour + "Z" for hour in HOURS], [hour + "+00:00" for hour in HOURS]),
    "nanoseconds": (
        [hour + ".25" for hour in HOURS],
        but([hour + ".25" for hour in HOURS], HOURS[0] + ".000000125", 9),
    ),
}


@pytest.mark.parametrize("change", OTHER_DATES)
def test_dates_that_would_change_the_columns_type_are_bad_rows(tmp_path: Path, change: str) -> None:
    cells, others = OTHER_DATES[change]
    read = Reading(parse_dates=("x",))
    served = register(tmp_path, users_code.Shown(), write_csv(tmp_path / "sample.csv", {"x": cells}), read)
    file = write_csv(tmp_path / "file.csv", {"x": others})
    is_same = "another way" in change
    assert differences(users_code.Shown(), served, file, ["x"], read, lambda row: not is_same) == []


def test_an_order_of_day_and_month_that_pandas_guesses_by_the_file_is_refused(tmp_path: Path) -> None:
    sample = write_csv(tmp_path / "sample.csv", {"x": ["13/05/2023", "01/02/2023", "05/06/2023"]})
    with pytest.raises(RowcastError, match=r"a file that begins with '02/03/2001' as %m/%d/%Y.* --dayfirst here"):
        register(tmp_path, users_code.Shown(), sample, Reading(parse_dates=("x",)))
    read = Reading(parse_dates=("x",), dayfirst=True)
    served = register(tmp_path, users_code.Shown(), sample, read)
    file = write_csv(tmp_path / "file.csv", {"x": ["05/06/2023", "01/12/2023", "31/12/2023"]})
    assert differences(users_code.Shown(), served, file, ["x"], read) == []


def test_a_model_without_missing_values_takes_numbers_beside_text(tmp_path: Path) -> None:
    read = Reading(keep_default_na=False)
    towns = ["NA", "", "Bonn", "null"] * 10
    cells = {"town": towns, "y": [str(number) for number in range(40)]}
    sample = write_csv(tmp_path / "sample.csv", cells)
    rows = pd.read_csv(sample, **read.for_pandas)
    encoder = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
    model = make_pipeline(encoder, DecisionTreeClassifier()).fit(rows, rows["y"] % 4)
    served = register(tmp_path, model, sample, read)
    file = write_csv(tmp_path / "file.csv", cells | {"y": but(cells["y"], "", 7)})
    assert differences(model, served, file, ["town", "y"], read, lambda row: pd.isna(row["y"])) == []


CATEGORIES = {"town": of("Aix", "Bonn", ""), "plan": of("1", "2", "30"), "x": of("0.5", "1.5", "2.25")}


@pytest.mark.parametrize("kind", ["one-hot", "boosting"])
def test_values_that_no_category_of_the_sample_has_are_predicted(tmp_path: Path, kind: str) -> None:
    read = Reading(dtype={"town": "category", "plan": "category"}, kinds={"town": "category", "plan": "category"})
    sample = write_csv(tmp_path / "sample.csv", CATEGORIES)
    rows = pd.read_csv(sample, **read.for_pandas)
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town", "plan"]), remainder="passthrough"
    )
    boosting = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5, categorical_features="from_dtype")
    model = make_pipeline(encoder, users_code.Checksum()) if kind == "one-hot" else boosting
    fit(model, rows, np.arange(ROWS) % 7)
    served = register(tmp_path, model, sample, read)
    file = write_csv(tmp_path / "file.csv", CATEGORIES | {"town": but(CATEGORIES["town"], "Rome", 3, 70, 199)})
    assert differences(model, served, file, list(CATEGORIES), read) == []
    words = write_csv(tmp_path / "words.csv", CATEGORIES | {"plan": but(CATEGORIES["plan"], "abc", 3, 70)})
    assert differences(model, served, words, list(CATEGORIES), read, lambda row: row["plan"] == "abc") == []


@pytest.mark.parametrize("step", [np.square, users_code.halves])
def test_whole_numbers_that_floats_cannot_follow_are_bad_rows(tmp_path: Path, step: Any) -> None:
    """Squares overflow at 64 bits, and the last digits of numbers over 2^53 are lost in floats."""
    sample = write_csv(tmp_path / "sample.csv", {"x": INTEGERS})
    large = {50: 2**31, 60: 2**32 + 2**24, 70: 2**53 + 1, 80: -(2**62) - 1, 90: 10**15}
    cells = [str(large.get(row, cell)) for row, cell in enumerate(INTEGERS)]
    file = write_csv(tmp_path / "file.csv", {"x": cells})
    model = fit(make_pipeline(FunctionTransformer(step), users_code.Checksum()), pd.read_csv(sample), None)
    served = register(tmp_path, model, sample, Reading())
    assert differences(model, served, file, ["x"], Reading(), lambda row: abs(int(row["x"])) >= 2**31) == []


def test_products_and_numbers_in_columns_with_gaps_are_never_predicted_otherwise(tmp_path: Path) -> None:
    names = ["a", "b", "x"]
    cells = {"a": INTEGERS, "b": but(INTEGERS[::-1], "2", 3), "x": but(INTEGERS, "", 7)}
    sample = write_csv(tmp_path / "sample.csv", cells)
    changes = {"a": {50: 2**35, 60: 2**30}, "b": {50: 2**35, 60: 2**30}, "x": {7: 1, 80: 2**60 + 3, 90: 2**60 + 5}}
    large = {name: [str(changes[name].get(row, cell)) for row, cell in enumerate(cells[name])] for name in names}
    file = write_csv(tmp_path / "file.csv", large)
    model = make_pipeline(FunctionTransformer(users_code.product_and_digit), users_code.Checksum())
    served = register(tmp_path, fit(model, pd.read_csv(sample), None), sample, Reading())
    too_large = {str(2**35), str(2**60 + 3), str(2**60 + 5)}
    assert differences(model, served, file, names, Reading(), lambda row: not too_large.isdisjoint(map(str, row))) == []


@pytest.mark.parametrize("dtype", ["str", None])
@pytest.mark.parametrize("kind", ["encoder behind an imputer", "arithmetic"])
def test_digits_with_leading_zeros_are_what_the_model_learned(tmp_path: Path, dtype: str | None, kind: str) -> None:
    cells = of("007", "12", "040")
    sample = write_csv(tmp_path / "sample.csv", {"x": cells})
    file = write_csv(tmp_path / "file.csv", {"x": but(cells, "7", 9, 99)})
    read = Reading(dtype={"x": dtype} if dtype else {})
    encoder = [SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)]
    arithmetic = [FunctionTransformer(users_code.lengths if dtype else users_code.halves)]
    steps = arithmetic if kind == "arithmetic" else encoder
    model = fit(make_pipeline(*steps, users_code.Checksum()), pd.read_csv(sample, **read.for_pandas), None)
    served = register(tmp_path, model, sample, Reading())
    assert differences(model, served, file, ["x"], read) == []


def test_an_encoder_of_another_column_does_not_decide_about_leading_zeros(tmp_path: Path) -> None:
    cells = {"zip": of("00001", "00123", "1234"), "pclass": of("1", "2", "3")}
    sample = write_csv(tmp_path / "sample.csv", cells)
    read = Reading(dtype={"zip": "str"})
    lengths = FunctionTransformer(users_code.python_text_lengths)
    steps = make_column_transformer((OneHotEncoder(sparse_output=False), ["pclass"]), (lengths, ["zip"]))
    model = fit(make_pipeline(steps, users_code.Checksum()), pd.read_csv(sample, **read.for_pandas), None)
    served = register(tmp_path, model, sample, Reading())
    assert differences(model, served, sample, list(cells), read) == []


def test_dayfirst_counts_for_dates_that_are_found_and_refuses_iso_dates_with_advice(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(users_code.days_since), users_code.Checksum())
    sample = write_csv(tmp_path / "sample.csv", {"x": ["05.06.2026", "13.05.2026"] * 10})
    read = Reading(parse_dates=("x",), dayfirst=True)
    fit(model, pd.read_csv(sample, **read.for_pandas), None)
    served = register(tmp_path, model, sample, Reading(dayfirst=True))
    assert differences(model, served, sample, ["x"], read) == []
    write_csv(sample, {"x": ["2026-12-31", "2026-12-30"] * 10})
    with pytest.raises(RowcastError, match="read this column as text") as refusal:
        register(tmp_path, model, sample, read)
    assert "write" not in str(refusal.value)


def test_nanoseconds_that_decide_are_refused(tmp_path: Path) -> None:
    sample = write_csv(tmp_path / "sample.csv", {"x": [f"2024-01-31 10:00:00.{number:09}" for number in range(20)]})
    with pytest.raises(RowcastError, match="depends on the unit of the dates in 'x'"):
        register(tmp_path, Ticks(), sample, Reading(parse_dates=("x",)))


class Ticks:
    """Predicts the whole numbers inside of dates, in thousands."""

    def predict(self, frame: pd.DataFrame) -> Any:
        return frame["x"].astype("int64") // 1000


ODD_LABELS = [1, True, 1.0, "1", None, float("nan"), 0, False, "x"]


class OddLabels:
    """Predicts labels that are equal for Python, but written otherwise."""

    def predict(self, frame: pd.DataFrame) -> Any:
        return np.array([ODD_LABELS[int(number)] for number in frame["x"]], dtype=object)


def test_labels_that_are_equal_for_python_keep_their_own_texts(tmp_path: Path) -> None:
    cells = [str(number) for number in [*range(9), *range(8, -1, -1)] * 10]
    sample = write_csv(tmp_path / "sample.csv", {"x": cells})
    served = register(tmp_path, OddLabels(), sample, Reading())
    assert differences(OddLabels(), served, sample, ["x"], Reading()) == []


@pytest.mark.parametrize(
    ("labels", "texts", "unit"),
    [
        (["2024-01-31", "2024-02-01"], ["2024-01-31", "2024-02-01"], "ns"),
        (["2024-01-31", "2024-02-01"], ["2024-01-31", "2024-02-01"], "D"),
        (["2024-01-31", "2024-02-01 10:00"], ["2024-01-31 00:00:00", "2024-02-01 10:00:00"], "ns"),
    ],
)
def test_classes_that_are_dates_are_written_as_in_pandas(
    tmp_path: Path, labels: list[str], texts: list[str], unit: str
) -> None:
    sample = write_csv(tmp_path / "sample.csv", {"x": of("1", "2")})
    rows = pd.read_csv(sample)
    target = np.array(labels, f"datetime64[{unit}]")[rows["x"] - 1]
    served = register(tmp_path, DecisionTreeClassifier().fit(rows, target), sample, Reading())
    assert served.manifest.classes == texts
    got, faults = scored(served, sample.read_bytes(), 64)
    assert (got, faults) == ([(texts[number - 1],) for number in rows["x"]], {})
