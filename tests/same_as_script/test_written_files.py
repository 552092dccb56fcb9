"""Files as Hypothesis writes them, with cells in every spelling, reach the model as `pandas.read_csv` reads them.

The models predict what they are given, so that each bit shows. A row may be bad only if pandas would have made text of
the whole column for its cell (or floats of a column of whole numbers), or for an infinity, which is not taken.
"""

import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, differences, fit, register, write_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowcast.models.loading.load import LoadedModel

CHUNKS = (1, 4, 10**6)

few = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

PLAIN = Reading()
FLOAT = Reading(dtype={"x": "float64"}, kinds={"x": "number"})
DATES = Reading(parse_dates=("x",))

TEXTS = st.text(st.sampled_from('ab ,;"\n\r\té漢1.-'), max_size=6)
NA_TEXTS = st.sampled_from(
    ["", "NA", "N/A", "n/a", "nan", "NaN", "-nan", "-NaN", "null", "NULL", "None", "<NA>", "#N/A", "1.#QNAN", "#NA"]
)

FLOATS = (
    st.sampled_from(["1e5", "+3", " 3", "3 ", ".5", "5.", "1E-3", "-0", "-0.0", "007", "1.", "+.5e+1", "1e-400", "\t4"])
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(-1e-300, 1e-300).map(repr)
    | st.floats(-1e6, 1e6).map("{:.17g}".format)
    | st.floats(-1e6, 1e6).map("{:.25f}".format)
    | st.integers(-(2**70), 2**70).map(str)
    | st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30]).map(str)
)
NO_NUMBERS = st.sampled_from(
    [
        "x",
        "1_0",
        "0x10",
        "  ",
        "NAN",
        "Nan",
        "+nan",
        "1e",
        "--1",
        "1,5",
        "1 2",
        "True",
        "1d5",
        "\u0661",
        "\xa03",
        "-",
        "1e5x",
    ]
)
INFINITIES = st.sampled_from(["inf", "-inf", "Infinity", "1e400", "-1e309", "iNf"])
INTEGERS = (
    st.integers(-(2**63), 2**63 - 1).map(str)
    | st.integers(-999, 999).map(str)
    | st.sampled_from(["+3", " 3", "3 ", "007", "-0", "+0", "\t4"])
)
FLAGS = st.sampled_from(["True", "TRUE", "true", "False", "FALSE", "false", "tRUE"])
NO_FLAGS = st.sampled_from(["T", "yes", " True", "maybe", "truee", "2"])
DAYS = st.dates().map(str) | st.sampled_from(["2024-1-5", "2024-02-29", "NaT"])
NO_DAYS = st.sampled_from(
    ["2024-02-30", "soon", "2024/01/31", "31.01.2024", " 2024-01-31", "2024-01-31 10:00", "2024-01", "20240131", "1"]
)


def mostly(usual: st.SearchStrategy[str], rare: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.integers(0, 12).flatmap(lambda number: rare if number == 0 else usual)


@st.composite
def written(draw: Any, cells: st.SearchStrategy[str], first: str) -> bytes:
    """Returns a CSV with the columns x and note; `first` is the first cell of x, which decides what pandas makes of it.

    Cells are quoted by need or by chance; lines end in LF or CRLF; there are blank lines, and a byte order mark.
    """
    end = draw(st.sampled_from(["\n", "\r\n"]))
    columns = draw(st.permutations(["x", "note"]))
    rows = [{"x": first, "note": "n"}]
    rows += [{"x": draw(cells), "note": draw(TEXTS | NA_TEXTS)} for _ in range(draw(st.integers(0, 9)))]
    lines = [",".join(columns), *(",".join(_field(row[name], draw(st.booleans())) for name in columns) for row in rows)]
    text = "".join(line + end * draw(st.sampled_from([1, 1, 1, 2])) for line in lines)
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    return (mark + (text if draw(st.booleans()) else text.rstrip("\r\n") or text)).encode()


def _field(cell: str, quoted: bool) -> str:
    """Returns a cell as a field; one that could be taken for a blank line stays quoted."""
    needed = any(one in cell for one in ',"\r\n')
    return '"' + cell.replace('"', '""') + '"' if needed or quoted else cell


def dtype_of(*cells: str, read: Reading = PLAIN) -> str:
    """Returns what pandas makes of a column of these cells: `float64`, `int64`, `str` ..."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["x", "note"], *([cell, "n"] for cell in cells)])
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(pd.read_csv(file, **read.for_pandas)["x"].dtype)


def may_be_bad(first: str, kind: str, read: Reading = PLAIN) -> Callable[[Any], bool]:
    """Returns whether a cell next to `first` keeps pandas from making a column of this type; or is an infinity."""

    def allowed(row: Any) -> bool:
        cell = row["x"]
        if pd.isna(cell):
            return dtype_of(first, "", read=read) != kind
        is_infinite = kind == "float64" and dtype_of(cell) == "float64" and np.isinf(float(cell))
        return is_infinite or dtype_of(first, cell, read=read) != kind

    return allowed


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LoadedModel]:
    """Registers a model with a sample whose column x has these cells."""

    def make(model: Any, cells: list[str], read: Reading = PLAIN) -> LoadedModel:
        folder = tmp_path_factory.mktemp("model")
        sample = write_csv(folder / "sample.csv", {"x": cells * 20})
        if hasattr(model, "fit"):
            fit(model, pd.read_csv(sample, **read.for_pandas)[["x"]], None)
        return register(folder, model, sample, read)

    return make


@pytest.fixture(scope="module")
def floats(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Same(), ["0.5", "-1.25", "1e5", "", "NA", "3"], FLOAT)


@pytest.fixture(scope="module")
def integers(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Same(), ["1", "-2", "30", str(2**60)])


@pytest.fixture(scope="module")
def texts(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Shown(), ["Aix", "", "b c", "NA", '"', "None"])


@pytest.fixture(scope="module")
def flags(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Shown(), ["True", "False", "true"])


@pytest.fixture(scope="module")
def flags_with_gaps(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Shown(), ["True", "False", "true", "", "NA"])


@pytest.fixture(scope="module")
def days(serve: Callable[..., LoadedModel]) -> LoadedModel:
    return serve(users_code.Shown(), ["2024-01-31", "1999-12-01", ""], DATES)


def compare(
    folder: Path, data: bytes, model: Any, served: LoadedModel, allowed: Callable[[Any], bool], read: Reading = PLAIN
) -> None:
    file = folder / "file.csv"
    file.write_bytes(data)
    found = differences(model, served, file, ["x"], read, allowed, CHUNKS)
    assert not found, "\n".join([*found, repr(data)])


@few
@given(written(mostly(FLOATS | NA_TEXTS, NO_NUMBERS | INFINITIES), "0.5"))
def test_numbers_in_every_spelling_are_those_of_the_script(tmp_path: Path, floats: LoadedModel, data: bytes) -> None:
    compare(tmp_path, data, users_code.Same(), floats, may_be_bad("0.5", "float64"), FLOAT)


@few
@given(written(mostly(INTEGERS, NO_NUMBERS | NA_TEXTS | st.sampled_from(["3.0", "1e3", "0.5", str(2**63)])), "12"))
def test_whole_numbers_in_every_spelling_are_those_of_the_script(
    tmp_path: Path, integers: LoadedModel, data: bytes
) -> None:
    compare(tmp_path, data, users_code.Same(), integers, may_be_bad("12", "int64"))


@few
@given(written(TEXTS | NA_TEXTS | FLOATS | FLAGS | st.sampled_from([" NA", "nan ", "na", "none", "Null"]), "Aix"))
def test_texts_of_every_kind_are_those_of_the_script(tmp_path: Path, texts: LoadedModel, data: bytes) -> None:
    compare(tmp_path, data, users_code.Shown(), texts, may_be_bad("Aix", "str"))


@few
@given(written(mostly(FLAGS, NO_FLAGS | NA_TEXTS), "True"))
def test_booleans_in_every_spelling_are_those_of_the_script(tmp_path: Path, flags: LoadedModel, data: bytes) -> None:
    compare(tmp_path, data, users_code.Shown(), flags, may_be_bad("True", "bool"))


@few
@given(written(mostly(FLAGS | NA_TEXTS, NO_FLAGS), "True"))
def test_booleans_with_gaps_are_those_of_the_script(tmp_path: Path, flags_with_gaps: LoadedModel, data: bytes) -> None:
    def allowed(row: Any) -> bool:
        return not pd.isna(row["x"]) and dtype_of("True", row["x"]) != "bool"

    compare(tmp_path, data, users_code.Shown(), flags_with_gaps, allowed)


@few
@given(written(mostly(DAYS | NA_TEXTS, NO_DAYS), "2024-01-31"))
def test_dates_in_every_spelling_are_those_of_the_script(tmp_path: Path, days: LoadedModel, data: bytes) -> None:
    compare(tmp_path, data, users_code.Shown(), days, may_be_bad("2024-01-31", "datetime64[us]", DATES), DATES)
