"""DataFrames: writes a pandas DataFrame as a CSV file without loss, and adds predictions to one as columns."""

import csv
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from rowcast.client.errors import ServiceError, WrongUse

if TYPE_CHECKING:
    import pandas as pd

_INTEGER = re.compile(r"[+-]?[0-9]+")


def require_sendable(frame: Any, added: str) -> None:
    """Checks that a frame can be sent, and that a column `added` can be added to it.

    Raises:
        WrongUse: it is not a DataFrame, has no rows, or its column names are not distinct texts.
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "to_csv"):
        raise WrongUse(f"predict_frame takes a pandas DataFrame, not {type(frame).__name__}; for one row use predict.")
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
    if added in names:
        raise WrongUse(f"The frame already has a column {added!r}; choose another name with prediction_column.")
    if not len(frame):
        raise WrongUse("The frame has no rows.")


def write_csv(frame: "pd.DataFrame", manifest: Mapping[str, Any], file: BinaryIO) -> None:
    """Writes the model's features. If some are missing, writes all columns, so that the service can name the nearest.

    The file is then at its beginning.

    Raises:
        WrongUse: a cell has no exact text, or a feature is the frame's index.
    """
    features = {feature["name"]: feature for feature in manifest["features"]}
    missing = [name for name, one in features.items() if one.get("required", True) and name not in frame.columns]
    for name in missing:
        if name in frame.index.names:
            raise WrongUse(f"The feature {name!r} is the frame's index; make it a column with frame.reset_index().")
    sent = frame if missing else frame[[name for name in features if name in frame.columns]]
    na_texts = frozenset(manifest.get("na_values") or [""])
    columns = {}
    for name in sent.columns:
        feature = features.get(name)
        columns[name] = sent[name] if feature is None else _as_cells(sent[name], feature, na_texts)
    table = sent.assign(**columns)
    try:
        # With the line end CR LF, pandas quotes every cell that has CR or LF.
        # In a file of one column, the service would not count an unquoted blank line as a row.
        gap = "NaN" if "NaN" in na_texts else ""
        quoting: Literal[0, 1] = csv.QUOTE_ALL if _has_blank_lines(table) else csv.QUOTE_MINIMAL
        table.to_csv(file, index=False, encoding="utf-8", lineterminator="\r\n", na_rep=gap, quoting=quoting)
    except UnicodeEncodeError as error:
        raise WrongUse(f"The frame has a text that is not Unicode: {error.object[error.start]!r}.") from None
    file.seek(0)


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
        truth = _truth(feature)
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


def _truth(feature: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the texts for true and false: those of the feature, or pandas' `True` and `False`."""
    if feature["kind"] in ("number", "integer"):
        return "1", "0"
    true, false = feature.get("true_values") or ["True"], feature.get("false_values") or ["False"]
    return true[0], false[0]


def _texts(column: "pd.Series[Any]", na_texts: frozenset[str]) -> "pd.Series[Any]":
    """Returns a column of objects as texts.

    Raises:
        WrongUse: the column has a text that the model reads as a missing value.
    """
    for value in column.unique():
        if isinstance(value, str) and value in na_texts:
            raise WrongUse(
                f"The column {column.name!r} has the text {value!r}, which the model reads as missing; "
                "replace it with None if it means that, or predict these rows one by one with predict."
            )
    return column.map({True: "True", False: "False"}.get) if _is_all_bool(column) else column


def _is_all_bool(column: "pd.Series[Any]") -> bool:
    return bool(column.notna().any()) and all(isinstance(value, bool) for value in column.dropna())


def with_predictions(
    frame: "pd.DataFrame", result: BinaryIO, manifest: Mapping[str, Any], prediction_column: str
) -> "pd.DataFrame":
    """Returns a copy of the frame with the result's columns. Rows without a prediction have missing values there.

    Raises:
        ServiceError: the result has a different number of rows.
        WrongUse: the frame already has one of the columns.
    """
    import pandas as pd

    result.seek(0)
    added = pd.read_csv(result, dtype=object, keep_default_na=False, skip_blank_lines=False)
    if len(added) != len(frame):
        raise ServiceError(f"The result has {len(added):,} rows, but the frame has {len(frame):,}.")
    clashes = [name for name in added.columns if name in frame.columns]
    if clashes:
        raise WrongUse(f"The frame already has a column {clashes[0]!r}, which the result would add.")
    classes = manifest.get("classes") if not manifest.get("outputs") else None
    labels = {text: label for label in classes or [] for text in (str(label), str(label).lower())}
    labels |= {str(label): label for label in classes or []}
    done = frame.copy()
    for name in added.columns:
        done[name] = _values(added[name].tolist(), labels if name == prediction_column else {}, frame.index)
    return done


def _values(cells: list[str], labels: Mapping[str, Any], index: Any) -> "pd.Series[Any]":
    """Returns the values of the cells: classes, integers, floats or texts. Empty cells are missing values."""
    import pandas as pd

    present = {cell for cell in cells if cell != ""}
    if present and present <= labels.keys():
        values = [labels[cell] if cell != "" else None for cell in cells]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in labels.values()):
            return pd.Series(values, index, dtype="Int64" if "" in cells else "int64")
        return pd.Series(values, index)
    if present and all(_INTEGER.fullmatch(cell) for cell in present):
        whole = [int(cell) if cell != "" else None for cell in cells]
        return pd.Series(whole, index, dtype="Int64" if "" in cells else "int64")
    try:
        return pd.Series([float(cell) if cell != "" else float("nan") for cell in cells], index, dtype="float64")
    except ValueError:
        return pd.Series([cell if cell != "" else None for cell in cells], index)
