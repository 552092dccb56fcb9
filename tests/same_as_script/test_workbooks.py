"""Excel workbooks: predicted as by `model.predict(pandas.read_excel(file)[features])`, or refused with the reason."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
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

from rowcast.errors import RowcastError
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_set import ModelSet
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


def served(folder: Path, model: Any, sample: Sequence[Any], read: Reading) -> LoadedModel:
    pd.DataFrame({"x": sample}).to_csv(folder / "sample.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(model, pd.read_csv(folder / "sample.csv", **read.for_pandas), TARGET)
    return register(folder, model, folder / "sample.csv", read)


def but(cells: Sequence[Any], cell: Any, *rows: int) -> list[Any]:
    return [cell if row in rows else old for row, old in enumerate(cells)]


GAPPY = but(FLOATS, None, 3, 50)
WORKBOOKS = {
    "floats": (linear, GAPPY, FLOATS),
    "floats with gaps": (linear, GAPPY, but(FLOATS, None, 0, 1, ROWS - 1)),
    "whole numbers among floats": (linear, GAPPY, but(FLOATS, 3, 7, 8)),
    "only whole numbers": (linear, GAPPY, INTEGERS),
    "errors": (linear, GAPPY, but(FLOATS, "#N/A", 9)),
    "texts that mean missing": (linear, GAPPY, but(FLOATS, "n/a", 9)),
    "numbers stored as text": (linear, GAPPY, [str(value) for value in FLOATS]),
    "large and small numbers": (linear, GAPPY, but(FLOATS, 1e300, 5)),
    "whole numbers": (encoded, [value % 7 for value in INTEGERS], [value % 9 for value in INTEGERS]),
    "text": (encoded, but(TOWNS, None, 3), TOWNS),
    "text with gaps": (encoded, but(TOWNS, None, 3), but(TOWNS, None, 0, 9)),
    "text with an NA": (encoded, but(TOWNS, None, 3), but(TOWNS, "NA", 9)),
    "booleans": (encoded, [value > 0 for value in FLOATS], [value < 0 for value in FLOATS]),
    "dates": (lambda: make_pipeline(FunctionTransformer(users_code.date_parts), LinearRegression()), DAYS, DAYS[::-1]),
}


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_is_predicted_as_by_the_script(tmp_path: Path, name: str) -> None:
    make, sample, cells = WORKBOOKS[name]
    read = Reading(parse_dates=("x",), kinds={"x": "date"}) if name == "dates" else Reading()
    model = make()
    registered = served(tmp_path, model, sample, read)
    file = workbook({"carried": INTEGERS, "x": cells})
    got, faults = scored(registered, csv_of(registered, file), 64)
    assert faults == {}
    for engine in ENGINES:
        expected = model.predict(pd.read_excel(io.BytesIO(file), engine=engine)[["x"]])
        assert got == [(repr(float(value)),) for value in expected], engine


def test_formulas_count_by_the_value_that_excel_has_kept(tmp_path: Path) -> None:
    """openpyxl keeps none, so those cells are empty for pandas, too."""
    model = linear()
    registered = served(tmp_path, model, GAPPY, Reading())
    file = workbook({"x": but(FLOATS, "=1+1", 4)})
    got, _ = scored(registered, csv_of(registered, file), 64)
    assert got == [(repr(float(value)),) for value in model.predict(pd.read_excel(io.BytesIO(file), engine="openpyxl"))]


def test_empty_rows_and_columns_around_the_table_are_left_out(tmp_path: Path) -> None:
    registered = served(tmp_path, linear(), GAPPY, Reading())
    table = {"a": [1, None, 3], "": [None, None, 5], "x": [1.5, None, 2]}
    assert csv_of(registered, workbook(table, above=3, beside=2)) == b"a,,x\n1,,1.5\n,,\n3,5,2\n"


@pytest.mark.parametrize("cell", [12, 1.5, True, DAYS[0]])
def test_a_number_in_a_column_of_text_is_refused_with_its_place(tmp_path: Path, cell: Any) -> None:
    registered = served(tmp_path, encoded(), TOWNS, Reading())
    with pytest.raises(RowcastError, match=r"row 4 of the sheet, column 'x': is .* format the column as text"):
        csv_of(registered, workbook({"x": but(TOWNS, cell, 2)}))
