"""A polars DataFrame: its columns as exact texts, and a copy of it with more columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from rowcast.client.errors import WrongUse
from rowcast.client.frames.frame_features import (
    columns_to_send,
    features_of,
    gap_of,
    na_texts_of,
    require_no_na_text,
    truth_texts,
)

if TYPE_CHECKING:
    import polars as pl

_SLICE_ROWS = 50_000
"""So many rows are turned into text at a time."""


def require_named_columns(frame: "pl.DataFrame") -> None:
    """Does nothing: the column names of a polars frame are always distinct texts."""


def write_csv(frame: "pl.DataFrame", manifest: Mapping[str, Any], file: BinaryIO) -> None:
    """Writes the columns that are to be sent, as `frames.write_csv` says."""
    features, na_texts = features_of(manifest), na_texts_of(manifest)
    gap = gap_of(manifest)
    names = columns_to_send(frame.columns, manifest)
    cells = frame.select(_as_cells(frame[name], features.get(name), na_texts) for name in names)
    quotes: Literal["always", "necessary"] = "necessary"
    if len(names) == 1:  # the service would not count an unquoted blank line as a row
        cells, quotes = cells.select(cells.to_series().cast(_text_type()).fill_null(gap)), "always"
    for start in range(0, max(1, len(cells)), _SLICE_ROWS):  # the header is written without rows, too
        part = cells[start : start + _SLICE_ROWS]
        text = part.write_csv(include_header=not start, line_terminator="\r\n", null_value=gap, quote_style=quotes)
        file.write(text.encode())


def _text_type() -> "type[pl.String]":
    import polars as pl

    return pl.String


def _as_cells(column: "pl.Series", feature: Mapping[str, Any] | None, na_texts: frozenset[str]) -> "pl.Series":
    """Returns the column with values that have an exact text in a CSV file, in the form that the feature accepts.

    `feature` is None for a column of which the service only reads the name, because a feature is missing.

    Raises:
        WrongUse: the column has values that are not one cell, or a text that the model reads as a missing value.
    """
    import polars as pl

    dtype = column.dtype
    if feature is None:
        return column if dtype.is_numeric() or dtype == pl.String else pl.Series(column.name, [None] * len(column))
    if dtype == pl.Boolean:
        true, false = truth_texts(feature)
        return column.replace_strict({True: true, False: false}, return_dtype=pl.String)
    if dtype in (pl.Date, pl.Datetime):
        return column.dt.strftime(_date_format(column, feature))
    if dtype.is_float():
        exact = column.cast(pl.Float64).fill_nan(None)  # a 32-bit float would be written with fewer digits
        is_whole = feature["kind"] == "integer" and bool((exact.drop_nulls() % 1 == 0).all())
        return exact.cast(pl.Int64) if is_whole else exact
    if dtype.is_integer() or dtype.is_decimal():
        return column
    if dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        texts = column.cast(pl.String)
        require_no_na_text(column.name, texts.unique(), na_texts)
        return texts
    raise WrongUse(f"The column {column.name!r} has the type {dtype}, which is not one cell of a CSV file.")


def _date_format(column: "pl.Series", feature: Mapping[str, Any]) -> str:
    """Returns the format of the feature's dates, or that of ISO 8601 with a space, as pandas writes it."""
    import polars as pl

    if feature.get("date_format"):
        return str(feature["date_format"]).replace("%f", "%6f")  # in polars, `%f` has nine digits
    if column.dtype == pl.Date:
        return "%Y-%m-%d"
    zone = "%:z" if getattr(column.dtype, "time_zone", None) else ""
    return f"%Y-%m-%d %H:%M:%S%.f{zone}"


def with_columns(frame: "pl.DataFrame", added: Mapping[str, list[Any]], kinds: Mapping[str, type]) -> "pl.DataFrame":
    """Returns a copy of the frame with these columns. None is null. `kinds` are those of `with_predictions`."""
    import polars as pl

    return frame.with_columns(
        pl.Series(name, values, _type_of(values, kinds.get(name, float))) for name, values in added.items()
    )


def _type_of(values: list[Any], kind: type) -> "type[pl.DataType] | None":
    """Returns the type for the class `kind`, for a column without a value; otherwise None, and polars decides."""
    import polars as pl

    if any(value is not None for value in values):
        return None
    return {bool: pl.Boolean, int: pl.Int64, str: pl.String}.get(kind, pl.Float64)
