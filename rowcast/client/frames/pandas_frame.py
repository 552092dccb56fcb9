"""A pandas DataFrame: its columns as exact texts, and a copy of it with more columns."""

import csv
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from rowcast.client.errors import WrongUse
from rowcast.client.frames.frame_features import (
    columns_to_send,
    features_of,
    gap_of,
    missing_features,
    na_texts_of,
    require_no_na_text,
    truth_texts,
)

if TYPE_CHECKING:
    import pandas as pd


def require_named_columns(frame: "pd.DataFrame") -> None:
    """Checks that the column names are distinct texts.

    Raises:
        WrongUse: they are not.
    """
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise WrongUse(
            "The frame's columns have several levels (a MultiIndex); give each column one name, "
            "for example frame.columns = ['_'.join(names) for names in frame.columns]."
        )
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise WrongUse(f"The column name {name!r} is not text; use frame.rename(columns=str).")
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise WrongUse(f"The frame has several columns called {repeated[0]!r}; give each its own name.")


def write_csv(frame: "pd.DataFrame", manifest: Mapping[str, Any], file: BinaryIO) -> None:
    """Writes the columns that are to be sent, as `frames.write_csv` says."""
    for name in missing_features(list(frame.columns), manifest):
        if name in frame.index.names:
            raise WrongUse(f"The feature {name!r} is the frame's index; make it a column with frame.reset_index().")
    sent = frame[columns_to_send(list(frame.columns), manifest)]
    features, na_texts = features_of(manifest), na_texts_of(manifest)
    columns = {}
    for name in sent.columns:
        feature = features.get(name)
        columns[name] = sent[name] if feature is None else _as_cells(sent[name], feature, na_texts)
    table = sent.assign(**columns)
    try:
        # With the line end CR LF, pandas quotes every cell that has CR or LF.
        # In a file of one column, the service would not count an unquoted blank line as a row.
        quoting: Literal[0, 1] = csv.QUOTE_ALL if _has_blank_lines(table) else csv.QUOTE_MINIMAL
        table.to_csv(
            file, index=False, encoding="utf-8", lineterminator="\r\n", na_rep=gap_of(manifest), quoting=quoting
        )
    except UnicodeEncodeError as error:
        raise _not_unicode(error) from None


def _not_unicode(error: UnicodeEncodeError) -> WrongUse:
    return WrongUse(f"The frame has a text that is not Unicode: {error.object[error.start]!r}.")


def _has_blank_lines(table: "pd.DataFrame") -> bool:
    """Whether a row or the header would be a line of blanks, which CSV readers skip."""
    if table.shape[1] != 1:
        return False
    cells = [table.columns[0], *(cell for cell in table.iloc[:, 0].unique() if isinstance(cell, str))]
    return any(cell.isspace() for cell in cells)


def _as_cells(column: "pd.Series[Any]", feature: Mapping[str, Any], na_texts: frozenset[str]) -> "pd.Series[Any]":
    """Returns the column with values that have an exact text in a CSV file, in the form that the feature accepts."""
    import pandas as pd

    kind, dtype = feature["kind"], column.dtype
    if isinstance(dtype, pd.CategoricalDtype):  # as objects, integers stay integers next to missing values
        column = column.astype(object)
        dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        truth = truth_texts(feature)
        return column.astype(object).map({True: truth[0], False: truth[1]})
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return column.dt.strftime(feature["date_format"]) if feature.get("date_format") else column
    if pd.api.types.is_float_dtype(dtype):
        exact = column.astype("Float64" if pd.api.types.is_extension_array_dtype(dtype) else "float64")
        is_whole = kind == "integer" and bool((exact.dropna() % 1 == 0).all())
        return exact.astype("Int64") if is_whole else exact  # a 32-bit float would be written with fewer digits
    if pd.api.types.is_integer_dtype(dtype):
        return column
    return _texts(column, na_texts)


def _texts(column: "pd.Series[Any]", na_texts: frozenset[str]) -> "pd.Series[Any]":
    """Returns a column of objects as texts.

    Raises:
        WrongUse: a cell is a list or another collection, is not Unicode, or is a text that the model reads as missing.
    """
    try:
        distinct = column.unique()
    except TypeError as error:  # what cannot be hashed
        raise WrongUse(f"The column {column.name!r} has cells that are not one cell of a CSV file: {error}.") from None
    except UnicodeEncodeError as error:
        raise _not_unicode(error) from None
    require_no_na_text(str(column.name), distinct, na_texts)
    return column.map({True: "True", False: "False"}.get) if _is_all_bool(column) else column


def _is_all_bool(column: "pd.Series[Any]") -> bool:
    return bool(column.notna().any()) and all(isinstance(value, bool) for value in column.dropna())


def with_columns(frame: "pd.DataFrame", added: Mapping[str, list[Any]], kinds: Mapping[str, type]) -> "pd.DataFrame":
    """Returns a copy of the frame with these columns. The index is kept. `kinds` are those of `with_predictions`."""
    done = frame.copy()
    for name, values in added.items():
        done[name] = _series(values, frame.index, kinds.get(name, float))
    return done


def _series(values: list[Any], index: Any, kind: type) -> "pd.Series[Any]":
    """Returns a column. None is a missing value: NaN in floats, and NA in integers, which stay integers.

    `kind` is the class of the values, if there is none among these.
    """
    import pandas as pd

    kinds = {type(value) for value in values} - {type(None)} or {kind}
    if kinds == {int}:
        return pd.Series(values, index, dtype="Int64" if None in values else "int64")
    if kinds == {float}:
        return pd.Series(values, index, dtype="float64")
    if kinds == {kind} and (kind is str or not values):
        return pd.Series(values, index, dtype=pd.Series([kind()]).dtype)
    return pd.Series(values, index)
