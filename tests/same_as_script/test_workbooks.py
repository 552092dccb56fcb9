"""Excel workbooks: predicted as by `model.predict(pandas.read_excel(file)[features])`, or refused with the reason."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

import numpy as np
import openpyxl
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, fit, register, scored
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature
from rowcast.models.model_set import ModelSet
from rowcast.scoring.converted_cells import in_file_form
from worker.conversion.excel_rows import ExcelRows
from worker.conversion.features_by_name import features_by_name

ROWS = 200
RANDOM = np.random.default_rng(7)
FLOATS = [round(float(value), 3) for value in RANDOM.normal(size=ROWS) * 100]
INTEGERS = [int(value) for value in RANDOM.integers(-1000, 1000, ROWS)]
TOWNS = [str(value) for value in RANDOM.choice(["Aix", "Bonn", 'O"slo, N'], ROWS)]
DAYS = [day.to_pydatetime() for day in pd.date_range("2020-01-01", periods=ROWS)]
TARGET = RANDOM.normal(size=ROWS)

ENGINES: tuple[Literal["openpyxl", "calamine"], ...] = ("openpyxl", "calamine")
"""What pandas may read workbooks with. The first is its default today."""


def workbook(columns: dict[str, Sequence[Any]], above: int = 0, beside: int = 0) -> bytes:
    """Returns a workbook with these columns, after empty rows and columns."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [*[()] * above, tuple(columns), *zip(*columns.values(), strict=True), (), ()]:
        sheet.append([*[None] * beside, *row])
    book.create_sheet("second").append(["other"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def csv_of(model: LoadedModel, file: bytes) -> bytes:
    table = ExcelRows(io.BytesIO(file), features_by_name(ModelSet((model.manifest,))), 1000)
    return table.header + b"".join(table.rows())


def linear() -> Any:
    return make_pipeline(SimpleImputer(), StandardScaler(), LinearRegression())


def encoded() -> Any:
    return make_pipeline(OneHotEncoder(handle_unknown="ignore", sparse_output=False), LinearRegression())


@dataclass(frozen=True)
class Served:
    """A fitted model, and what the service has registered of it."""

    model: Any
    loaded: LoadedModel


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Returns a served model by its name in `MODELS`. Each is registered once."""

    @cache
    def serve(name: str) -> Served:
        make, sample = MODELS[name]
        folder, model = tmp_path_factory.mktemp("model"), make()
        read = Reading(parse_dates=("x",), kinds={"x": "date"}) if name == "dates" else Reading()
        pd.DataFrame({"x": sample}).to_csv(folder / "sample.csv", index=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(model, pd.read_csv(folder / "sample.csv", **read.for_pandas), TARGET)
        return Served(model, register(folder, model, folder / "sample.csv", read))

    return serve


@pytest.fixture
def floats(serve: Callable[[str], Served]) -> Served:
    return serve("floats")


@pytest.fixture
def towns(serve: Callable[[str], Served]) -> Served:
    return serve("text")


@pytest.fixture
def days(serve: Callable[[str], Served]) -> Served:
    return serve("dates")


def but(cells: Sequence[Any], cell: Any, *rows: int) -> list[Any]:
    return [cell if row in rows else old for row, old in enumerate(cells)]


GAPPY = but(FLOATS, None, 3, 50)
MODELS: dict[str, tuple[Callable[[], Any], Sequence[Any]]] = {
    "floats": (linear, GAPPY),
    "whole numbers": (encoded, [value % 7 for value in INTEGERS]),
    "text": (encoded, but(TOWNS, None, 3)),
    "booleans": (encoded, [value > 0 for value in FLOATS]),
    "dates": (lambda: make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression()), DAYS),
}
WORKBOOKS = {
    "floats": ("floats", FLOATS),
    "floats with gaps": ("floats", but(FLOATS, None, 0, 1, ROWS - 1)),
    "whole numbers among floats": ("floats", but(FLOATS, 3, 7, 8)),
    "only whole numbers": ("floats", INTEGERS),
    "errors": ("floats", but(FLOATS, "#N/A", 9)),
    "texts that mean missing": ("floats", but(FLOATS, "n/a", 9)),
    "numbers stored as text": ("floats", [str(value) for value in FLOATS]),
    "large and small numbers": ("floats", but(FLOATS, 1e300, 5)),
    "whole numbers": ("whole numbers", [value % 9 for value in INTEGERS]),
    "text": ("text", TOWNS),
    "text with gaps": ("text", but(TOWNS, None, 0, 9)),
    "text with an NA": ("text", but(TOWNS, "NA", 9)),
    "booleans": ("booleans", [value < 0 for value in FLOATS]),
    "dates": ("dates", DAYS[::-1]),
}


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_is_predicted_as_by_the_script(serve: Callable[[str], Served], name: str) -> None:
    known, cells = WORKBOOKS[name]
    served = serve(known)
    file = workbook({"carried": INTEGERS, "x": cells})
    got, faults = scored(served.loaded, csv_of(served.loaded, file), 64, format="xlsx")
    assert faults == {}
    for engine in ENGINES:
        expected = served.model.predict(pd.read_excel(io.BytesIO(file), engine=engine)[["x"]])
        assert got == [(repr(float(value)),) for value in expected], engine


def test_formulas_count_by_the_value_that_excel_has_kept(floats: Served) -> None:
    """openpyxl keeps none, so those cells are empty for pandas, too."""
    file = workbook({"x": but(FLOATS, "=1+1", 4)})
    got, _ = scored(floats.loaded, csv_of(floats.loaded, file), 64, format="xlsx")
    frame = pd.read_excel(io.BytesIO(file), engine="openpyxl")
    assert got == [(repr(float(value)),) for value in floats.model.predict(frame)]


def test_empty_rows_and_columns_around_the_table_are_left_out(floats: Served) -> None:
    table = {"a": [1, None, 3], "": [None, None, 5], "x": [1.5, None, 2]}
    assert csv_of(floats.loaded, workbook(table, above=3, beside=2)) == b"a,,x\n1,,1.5\n,,\n3,5,2\n"


WORDS = {12: "a number", 1.5: "a number", True: "true or false", DAYS[0]: "a date"}


@pytest.mark.parametrize("cell", WORDS)
def test_a_cell_of_another_type_in_a_feature_of_text_is_a_bad_row(towns: Served, cell: Any) -> None:
    """The script's frame then has a column of objects, and its number 12 is not the text "12"."""
    file = workbook({"carried": ["12", *TOWNS[1:]], "x": but(TOWNS, cell, 2), "noted": ["a, b"] * ROWS})
    data = csv_of(towns.loaded, file)
    kept = pd.read_csv(io.BytesIO(data), dtype=str)["x"][2]
    assert kept == (str(cell) if cell is not True else "true"), "the quotes are not part of the cell"
    got, faults = scored(towns.loaded, data, 64, format="xlsx")
    assert faults == {2: faults[2]}
    assert f"{WORDS[cell]} in the workbook, where the model takes text" in faults[2]
    frame = pd.read_excel(io.BytesIO(file), engine=ENGINES[0])[["x"]].drop(index=2)
    expected = [(repr(float(value)),) for value in towns.model.predict(frame)]
    assert [row for number, row in enumerate(got) if number != 2] == expected


def test_two_models_read_one_column_of_booleans_or_dates_in_their_own_words() -> None:
    """The model with other words still reads a text that is one of them."""
    plain = Feature(name="x", kind="boolean", missing=False)
    words = plain.model_copy(update={"true_values": ["yes"], "false_values": ["no"]})
    iso, german = (
        Feature(name="day", kind="date", missing=False, date_format=form) for form in ("%Y-%m-%d", "%d.%m.%Y")
    )
    file = workbook({"x": [True, False, None, "yes"], "day": [DAYS[0]] * 4})
    table = ExcelRows(io.BytesIO(file), {"x": (plain, words), "day": (iso, german)}, 100)
    assert b"".join(table.rows()).decode().splitlines() == [
        f"{cell},2020-01-01 00:00:00.000000" for cell in ("true", "false", "", "yes")
    ]
    assert table.dtypes == {"x": "bool", "day": "datetime64"}
    for feature in (iso, german):
        form = in_file_form(feature).date_format
        assert form is not None
        assert datetime.strptime("2020-01-01 00:00:00.000000", form) == DAYS[0]  # noqa: DTZ007
    assert in_file_form(words).true_texts == ["true", "yes"]
    assert in_file_form(words).false_texts == ["false", "no"]


def test_texts_that_need_quotes_are_good_rows(towns: Served) -> None:
    cells = but(but(but(TOWNS, 'say "12"', 1), " 12", 2), "1,2\n3", 3)
    assert scored(towns.loaded, csv_of(towns.loaded, workbook({"x": cells})), 64, format="xlsx")[1] == {}


def test_a_date_that_the_models_form_cannot_express_is_a_bad_row(days: Served) -> None:
    file = workbook({"x": but(DAYS, DAYS[5].replace(hour=7), 5)})
    got, faults = scored(days.loaded, csv_of(days.loaded, file), 64, format="xlsx")
    assert faults == {5: faults[5]}
    assert "not a date: write it as %Y-%m-%d" in faults[5]
    frame = pd.read_excel(io.BytesIO(file), engine=ENGINES[0]).drop(index=5)
    expected = [(repr(float(value)),) for value in days.model.predict(frame)]
    assert [row for number, row in enumerate(got) if number != 5] == expected
