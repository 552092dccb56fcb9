"""Cells of dates: pandas reads all at once, and those that would change the type of the column are refused."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from rowcast.models.cells import NAT_TEXTS
from rowcast.models.model_manifest import Feature
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.typed.column_type import InvalidCell, column_dtype, missing_value

_OFFSET = re.compile(r"(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)$", re.IGNORECASE)
_NANOSECONDS = re.compile(r":[0-9]{1,2}\.[0-9]{7}")


def read_dates(feature: Feature, cells: Sequence[str], reading: Reading) -> tuple[list[Any], dict[str, str]]:
    """Returns the dates, in the feature's format, and why a text is not one.

    In a file with other UTC offsets, or with more digits of seconds, pandas would give the whole column another type.
    """
    faults: dict[str, str] = {}
    texts: list[str | None] = []
    for cell in cells:
        is_missing = cell in reading.na_texts or cell in NAT_TEXTS
        texts.append(None if is_missing else cell)
        try:
            if is_missing:
                missing_value(feature, cell)
        except InvalidCell as fault:
            faults[cell] = str(fault)
    parsed = _parsed(feature, texts)
    if parsed is None or not _fits(parsed.dtype, column_dtype(feature)):
        misfits = {text: why for text in texts if text is not None and (why := _misfit(text, column_dtype(feature)))}
        faults |= misfits
        texts = [None if text in misfits else text for text in texts]
        parsed = _parsed(feature, texts)
    if parsed is None:  # offsets that are not numbers
        parsed = pd.Series([pd.NaT] * len(texts))
    for text in (texts[row] for row in np.flatnonzero(parsed.isna().to_numpy()).tolist()):
        if text is not None:
            faults[text] = f"not a date: write it as {feature.date_format or 'ISO 8601'}"
    dates = list(parsed)
    unit = str(np.datetime_data(np.dtype(column_dtype(feature).partition(",")[0].rstrip("]") + "]"))[0])
    for row, (text, date) in enumerate(zip(texts, dates, strict=True) if parsed.dt.unit != unit else ()):
        try:
            dates[row] = date if date is pd.NaT else date.as_unit(unit, round_ok=False)
        except ValueError:  # OutOfBoundsDatetime is one
            dates[row] = pd.NaT
            faults[str(text)] = f"does not fit into {column_dtype(feature)}, the type of the column"
    return dates, faults


def _parsed(feature: Feature, texts: Sequence[Any]) -> "pd.Series[Any] | None":
    """Returns the dates, with NaT for other texts. If they have several offsets from UTC, it returns None."""
    try:
        return pd.to_datetime(pd.Series(texts, dtype="object"), format=feature.date_format, errors="coerce")
    except ValueError:
        return None


def _fits(found: Any, dtype: str) -> bool:
    """Returns whether dates of the type that pandas found have the unit and the offset from UTC of `dtype`."""
    return _offset_of(found) == _offset_of(pd.api.types.pandas_dtype(dtype)) and (
        "[ns" in dtype or "[ns" not in str(found)
    )


def _offset_of(dtype: Any) -> timedelta | None:
    """Returns the offset from UTC of dates of a type; None for dates without a time zone."""
    return dtype.tz.utcoffset(None) if isinstance(dtype, pd.DatetimeTZDtype) else None


def _misfit(cell: str, dtype: str) -> str | None:
    """Returns why pandas would give a column with this cell another type than `dtype`; None if it would not."""
    wanted = pd.api.types.pandas_dtype(dtype)
    written = _OFFSET.search(cell)
    if isinstance(wanted, pd.DatetimeTZDtype) and written and _offset(written) != wanted.tz.utcoffset(None):
        return f"another offset from UTC than the sample's: convert the dates to {wanted.tz}"
    if "[ns" not in dtype and _NANOSECONDS.search(cell):
        return "more than six digits of a second: the sample has none with more"
    return None


def _offset(found: re.Match[str]) -> timedelta:
    sign, hours, minutes = found.group("sign", "hours", "minutes")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -offset if sign == "-" else offset
