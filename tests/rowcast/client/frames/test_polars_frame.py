"""Frames of polars, as far as only the client decides; tests/stack/test_frames.py asks the models."""

import datetime as dt
import io
import math
import subprocess
import sys
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from fake_service import FakeService

from rowcast.client import Client, ServiceError, WrongUse
from rowcast.client.frames.frames import with_predictions, write_csv

PLAIN = pl.DataFrame({"age": [25], "pclass": [3]})


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (PLAIN["age"], "takes a pandas or polars DataFrame, not Series; for one row use predict"),
        (PLAIN.lazy(), r"takes a DataFrame, not LazyFrame; use frame\.collect\(\)"),
        (PLAIN.with_columns(prediction=1), "already has a column 'prediction'; choose another name"),
        (PLAIN.clear(), "has no rows"),
    ],
    ids=["series", "lazy", "known", "empty"],
)
def test_an_odd_frame_is_refused_before_anything_is_sent(
    service: FakeService, client: Client, frame: Any, says: str
) -> None:
    with pytest.raises(WrongUse, match=says):
        client.predict_frame(frame)
    assert not service.seen


def written(frame: pl.DataFrame, *features: dict[str, Any], **manifest: Any) -> list[str]:
    file = io.BytesIO()
    write_csv(frame, {"features": list(features), **manifest}, file)
    return file.getvalue().decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("values", "feature", "cells"),
    [
        (pl.Series([0.1, 1e22, math.nan, None, -0.0]), {"kind": "number"}, ["0.1", "1e+22", "", "", "-0.0"]),
        (pl.Series([0.1], dtype=pl.Float32), {"kind": "number"}, ["0.10000000149011612"]),
        (pl.Series([3.0, math.nan]), {"kind": "integer"}, ["3", ""]),
        (pl.Series([3.5, None]), {"kind": "integer"}, ["3.5", ""]),
        (pl.Series([2**63 - 1, None]), {"kind": "integer"}, [str(2**63 - 1), ""]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), {"kind": "integer"}, [str(2**64 - 1)]),
        (pl.Series([Decimal("1.50")]), {"kind": "number"}, ["1.50"]),
        (pl.Series([True, False, None]), {"kind": "boolean"}, ["True", "False", ""]),
        (pl.Series([True]), {"kind": "boolean", "true_values": ["yes"], "false_values": ["no"]}, ["yes"]),
        (pl.Series([True, False]), {"kind": "number"}, ["1", "0"]),
        (pl.Series(["b", None], dtype=pl.Categorical), {"kind": "category"}, ["b", ""]),
        (pl.Series(["b"], dtype=pl.Enum(["b"])), {"kind": "category"}, ["b"]),
        (
            pl.Series(["a,b", 'say "x"', "line\rend", None]),
            {"kind": "text"},
            ['"a,b"', '"say ""x"""', '"line\rend"', ""],
        ),
        (pl.Series([None, None]), {"kind": "text"}, ["", ""]),
        (pl.Series([dt.date(2026, 2, 1), None]), {"kind": "date"}, ["2026-02-01", ""]),
        (pl.Series([dt.datetime.fromisoformat("2026-02-01T09:00")]), {"kind": "date"}, ["2026-02-01 09:00:00"]),
        (
            pl.Series([dt.datetime.fromisoformat("2026-02-01T09:00:00.000005")]),
            {"kind": "date"},
            ["2026-02-01 09:00:00.000005"],
        ),
        (
            pl.Series([dt.datetime(2026, 2, 1, 9, tzinfo=dt.UTC)]),
            {"kind": "date"},
            ["2026-02-01 09:00:00+00:00"],
        ),
        (
            pl.Series([dt.datetime.fromisoformat("2026-02-01T09:00:00.000005")]),
            {"kind": "date", "date_format": "%d.%m.%Y %H:%M:%S.%f"},
            ["01.02.2026 09:00:00.000005"],
        ),
    ],
    ids=str,
)
def test_every_type_has_an_exact_text(values: pl.Series, feature: dict[str, Any], cells: list[str]) -> None:
    frame = pl.DataFrame({"x": values, "y": [1] * len(values)})
    features = [{"name": "x", **feature}, {"name": "y", "kind": "integer"}]
    assert written(frame, *features) == ["x,y", *(f"{cell},1" for cell in cells)]


def test_only_what_the_model_needs_is_sent() -> None:
    frame = pl.DataFrame({"b": [1], "other": [[1, 2]], "a": [2]})
    features = [{"name": name, "kind": "number"} for name in "ab"]
    assert written(frame, *features, {"name": "c", "kind": "number", "required": False}) == ["a,b", "2,1"]
    assert written(frame.drop("a"), *features)[0] == "b,other"  # so that the service can name the nearest


def test_a_column_of_lists_is_refused() -> None:
    with pytest.raises(WrongUse, match="'x' has the type List"):
        written(pl.DataFrame({"x": [[1, 2]]}), {"name": "x", "kind": "number"})


@pytest.mark.parametrize("values", [["a", "  ", None], [1, None]], ids=str)
def test_an_empty_cell_alone_in_its_row_is_not_sent_as_a_blank_line(values: list[Any]) -> None:
    cells = ["" if value is None else str(value) for value in values]
    assert written(pl.DataFrame({"x": values}), {"name": "x", "kind": "text"}) == [
        f'"{cell}"' for cell in ["x", *cells]
    ]


def test_a_frame_of_many_rows_is_written_in_slices() -> None:
    frame = pl.DataFrame({"x": range(120_001), "y": range(120_001)})
    features = [{"name": name, "kind": "integer"} for name in "xy"]
    assert written(frame, *features) == ["x,y", *(f"{row},{row}" for row in range(120_001))]


@pytest.mark.parametrize("text", ["", "NA"])
def test_a_text_that_would_be_read_as_missing_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match=f"'land' has the text '{text}', which the model reads as missing"):
        written(pl.DataFrame({"land": ["SE", text]}), {"name": "land", "kind": "text"}, na_values=["", "NA"])


@pytest.mark.parametrize(
    ("cells", "manifest", "values", "dtype"),
    [
        (["0", '""'], {"classes": [0, 1]}, [0, None], pl.Int64),
        (["007", "1"], {"classes": ["007", "1"]}, ["007", "1"], pl.String),
        (["true", '""'], {"classes": [False, True]}, [True, None], pl.Boolean),
        (["0.1", ""], {"classes": None}, [0.1, None], pl.Float64),
        (["0.30000000000000004"], {"classes": None}, [0.1 + 0.2], pl.Float64),
        (['""'], {"classes": None}, [None], pl.Float64),
        (["a", "2"], {"classes": None}, ["a", "2"], pl.String),
    ],
    ids=str,
)
def test_predictions_come_back_as_the_values_that_they_were(
    cells: list[str], manifest: dict[str, Any], values: list[Any], dtype: Any
) -> None:
    frame = pl.DataFrame({"x": range(len(cells))})
    result = io.BytesIO("\n".join(["prediction", *cells, ""]).encode())
    done = with_predictions(frame, result, {"prediction": manifest})
    assert done.equals(frame.with_columns(pl.Series("prediction", values, dtype)))
    assert done.schema["prediction"] == dtype


def test_a_result_of_another_length_or_with_a_known_column_is_an_error() -> None:
    with pytest.raises(ServiceError, match="The result has 2 rows, but the frame has 1"):
        with_predictions(PLAIN, io.BytesIO(b"prediction\n1\n2\n"), {"prediction": {}})
    frame = PLAIN.with_columns(probability_0=0.5)
    with pytest.raises(WrongUse, match="already has a column 'probability_0'"):
        with_predictions(frame, io.BytesIO(b"prediction,probability_0\n1,0.5\n"), {"prediction": {}})


def test_it_needs_no_pandas() -> None:
    code = (
        "import io, sys, polars\n"
        "from rowcast.client.frames.frames import require_sendable, with_predictions, write_csv\n"
        "frame = polars.DataFrame({'x': [1]})\n"
        "require_sendable(frame, ['prediction'])\n"
        "write_csv(frame, {'features': [{'name': 'x', 'kind': 'number'}]}, io.BytesIO())\n"
        "with_predictions(frame, io.BytesIO(b'prediction\\n1\\n'), {'prediction': {}})\n"
        "assert 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
