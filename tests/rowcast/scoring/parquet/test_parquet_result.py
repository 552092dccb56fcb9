"""A Parquet file has the values of the CSV that it is made of, and those of NDJSON, with types."""

import csv
import io
import json
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.output.ndjson import ndjson
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.models.model_set import ModelSet
from rowcast.scoring.parquet.parquet_result import ParquetResult

Cells = Sequence[Sequence[str]]

FEATURES = [
    Feature(name="age", kind="number", missing=True),
    Feature(name="rooms", kind="integer", missing=True),
    Feature(name="new", kind="boolean", missing=True, true_values=["yes"], false_values=["no"]),
    Feature(name="day", kind="date", missing=True, date_format="%Y-%m-%d"),
    Feature(name="city", kind="text", missing=True),
]


def manifest(name: str = "m", **more: Any) -> Manifest:
    known = {"task": "classification", "features": FEATURES, "classes": [0, 1]} | more
    return Manifest(name=name, version="1", sha256="0" * 64, created_at="2026-01-01T00:00:00Z", libraries={}, **known)


def written(
    parts: Sequence[Cells], columns: Sequence[str], models: ModelSet, /, **options: Any
) -> tuple[pa.Table, list[dict[str, Any]], Cells]:
    """Returns the Parquet file, the objects of NDJSON, and the cells, of a result with these parts."""
    spec = Spec(
        kind="batch",
        model=ModelRef(name="m", version="1"),
        options=Options(delimiter=",", **options),
        input=InputInfo(columns=tuple(columns), bytes=0, sha256="0" * 64, filename=None),
    )
    encoded = [_encoded(cells) for cells in parts]
    file = io.BytesIO()
    ParquetResult(spec, models).write(file, lambda: encoded)
    lines = ndjson(([part] for part in encoded), SimpleNamespace(spec=spec), models)  # type: ignore[arg-type]
    objects = [json.loads(line) for line in b"".join(lines).splitlines()]
    return pq.read_table(io.BytesIO(file.getvalue())), objects, [row for cells in parts for row in cells]


def _encoded(cells: Cells) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue().encode()


def as_pandas_reads(table: pa.Table, cells: Cells) -> None:
    """Fails unless pandas reads the same values from the Parquet file as from the CSV."""
    text = pd.read_csv(
        io.BytesIO(_encoded(cells)), header=None, names=table.column_names, dtype=str, keep_default_na=False
    )
    for name, column in zip(table.column_names, table.columns, strict=True):
        values, texts = column.to_pylist(), text[name].tolist()
        for value, cell in zip(values, texts, strict=True):
            assert _is_same(value, cell), (name, value, cell)


def _is_same(value: object, cell: str) -> bool:
    match value:
        case None:
            return cell == ""
        case bool():
            return cell in (("True", "yes") if value else ("False", "no"))
        case int():
            return int(cell) == value
        case float():
            return float(cell) == value or (math.isnan(value) and math.isnan(float(cell)))
    return cell == value


def types(table: pa.Table) -> list[str]:
    return [str(kind) for kind in table.schema.types]


COLUMNS = [feature.name for feature in FEATURES]


def test_features_and_predictions_have_the_types_of_the_model() -> None:
    parts = [
        [["1.50", "3", "yes", "2026-01-31", "007", "0"], ["", "", "", "", "", "1"]],
        [["-0.1e3", "-4", "no", "2026-02-01", "é,\n", "1"]],
    ]
    table, objects, cells = written(parts, COLUMNS, ModelSet((manifest(),)))
    assert types(table) == ["double", "int64", "bool", "string", "string", "int64"]
    as_pandas_reads(table, cells)
    booleans = [{**found, "new": {"yes": True, "no": False, "": None}[found["new"]]} for found in objects]
    assert table.to_pylist() == booleans
    assert pq.ParquetFile(pa.BufferReader(_bytes(table))).metadata.num_rows == 3


def _bytes(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        ("age", "old", "string"),
        ("age", str(2**53 + 1), "string"),
        ("age", "1_000", "string"),
        ("rooms", "3.5", "double"),
        ("rooms", "many", "string"),
        ("rooms", str(2**63), "double"),
        ("new", "perhaps", "string"),
        ("day", "31.1.2026", "string"),
    ],
)
def test_one_cell_of_the_last_part_decides_the_type_of_its_column(column: str, cell: str, kind: str) -> None:
    good = ["1.5", "3", "yes", "2026-01-31", "x", "0"]
    odd = [cell if name == column else value for name, value in zip([*COLUMNS, "prediction"], good, strict=True)]
    table, _, cells = written([[good] * 50, [odd]], COLUMNS, ModelSet((manifest(),)))
    assert str(table.schema.field(column).type) == kind
    as_pandas_reads(table, cells)


@pytest.mark.parametrize(
    ("more", "predicted", "wanted"),
    [
        ({"classes": [True, False]}, ["True", "False", ""], [True, False, None]),
        ({"classes": ["1", "2"]}, ["1", "", "2"], ["1", None, "2"]),
        ({"classes": [0.5, 1.0]}, ["0.5", "1.0", ""], [0.5, 1.0, None]),
        ({"classes": [1, "x"]}, ["1", "x", ""], ["1", "x", None]),
        ({"task": "regression", "classes": None}, ["1.5", "inf", ""], [1.5, math.inf, None]),
        ({"task": "regression", "classes": None}, ["1", "-2", ""], [1, -2, None]),
        ({"task": "clustering", "classes": None}, ["0", "-1", ""], [0, -1, None]),
    ],
)
def test_predictions_are_of_the_kind_of_the_classes(
    more: dict[str, Any], predicted: list[str], wanted: list[object]
) -> None:
    parts = [[["x", cell] for cell in predicted]]
    table, objects, cells = written(parts, ["id"], ModelSet((manifest(**more),)))
    assert table["prediction"].to_pylist() == wanted
    assert [type(value) for value in table["prediction"].to_pylist()] == [type(value) for value in wanted]
    as_pandas_reads(table, cells)
    if more.get("classes") != [1, "x"] and "inf" not in predicted:
        assert table.to_pylist() == objects


def test_several_outputs_two_models_probabilities_and_bad_rows() -> None:
    several = manifest("several", task="regression", classes=None, outputs=["x", "y"])
    shares = manifest("shares", classes=["a", "b"], probabilities=True)
    options = {"probabilities": True, "on_error": "column"}
    parts = [[["31", "1", "0.5", "a", "0.75", "0.25", ""], ["old", "", "", "", "", "", "age: not a number"]]]
    table, objects, cells = written(parts, ["age"], ModelSet((several, shares)), **options)
    assert table.column_names == [
        "age", "prediction_several_x", "prediction_several_y", "prediction_shares", "probability_shares_a",
        "probability_shares_b", "prediction_error",
    ]  # fmt: skip
    assert types(table) == ["string", "int64", "double", "string", "double", "double", "string"]
    as_pandas_reads(table, cells)
    assert table.to_pylist() == [{**objects[0], "age": "31"}, objects[1]], "NDJSON has a type for each cell"


def test_chosen_columns_and_ranks_have_the_types_of_what_they_hold() -> None:
    chosen = {"top_2": "second", "top_2_probability": "chance", "prediction_error": "fault", "prediction": "label"}
    options = {"columns": chosen, "top": 2, "on_error": "column"}
    parts = [[["1", "0", "0.25", "", "1"], ["1", "", "", "age: not a number", ""]]]
    table, objects, cells = written(parts, ["id"], ModelSet((manifest(probabilities=True),)), **options)
    assert table.column_names == ["id", "second", "chance", "fault", "label"]
    assert types(table) == ["string", "int64", "double", "string", "int64"]
    as_pandas_reads(table, cells)
    assert table.to_pylist() == objects


def test_repeated_and_unnamed_columns_have_the_names_that_pandas_gives_them() -> None:
    table, objects, cells = written(
        [[["a", "b", "c", "1"], ["", "", "", ""]]], ["x", "x.1", "Unnamed: 2"], ModelSet((manifest(),))
    )
    assert table.column_names == ["x", "x.1", "Unnamed: 2", "prediction"]
    assert table.to_pylist() == objects
    as_pandas_reads(table, cells)


def test_rows_with_too_many_or_too_few_cells_are_as_in_ndjson() -> None:
    parts = [[["1", "x", "0"], ["1", "x", "more", "yet more", ""], ["1", ""], [""]]]
    table, objects, _ = written(parts, ["age", "id"], ModelSet((manifest(),)))
    assert table.to_pylist() == objects


def test_a_result_without_rows_has_columns() -> None:
    table, _, _ = written([], ["age"], ModelSet((manifest(),)))
    assert (table.num_rows, table.column_names) == (0, ["age", "prediction"])


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers(-(2**70), 2**70).map(str)
CELL = st.sampled_from(["", "NA", "yes", "no", "NO", "0", "-0", "007", " 1", "1e5", "1_0", "nan", "٣"]) | NUMBERS
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=5)


@given(st.lists(st.lists(st.tuples(CELL, CELL, CELL, TEXT, st.sampled_from(["0", "1", ""])), max_size=4), max_size=3))
@example([[("1", "2", "yes", '"', "0")], [(str(2**53 + 1), "1.0", "no", "", "")]])
def test_no_cell_changes_its_value(parts: list[list[tuple[str, ...]]]) -> None:
    columns = ["age", "rooms", "new", "city"]
    table, _, cells = written(parts, columns, ModelSet((manifest(),)))
    missing = manifest().na_texts(None)
    for place, column in enumerate(table.columns):
        for value, row in zip(column.to_pylist(), cells, strict=True):
            cell = row[place]
            folded = cell.lower() if isinstance(value, bool) else cell
            assert _is_same(value, folded) or (value is None and cell in missing), (columns[place:], value, cell)
