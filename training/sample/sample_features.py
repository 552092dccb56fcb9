"""The features of a sample: the kind of each column, by the type that `pandas.read_csv` gives it."""

import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from rowcast.errors import Unprocessable
from rowcast.models.cells import TRUE_TEXTS, boolean_pair
from rowcast.models.model_manifest import Feature
from rowcast.wording.quantity import counted
from training.fitting.column_kinds import SHOWN_CATEGORIES
from training.rehearsal.users_script import Script
from training.sample.sample import Sample

_EITHER_WAY = datetime(2001, 3, 2, 4, 5, 6, 789, UTC)
"""A moment whose day could be a month."""

_AS_TEXT = "read this column as text (--kind NAME=text, and dtype in your script), and parse it in a step of the model"


def feature_names(estimator: Any, sample: Sample, targets: Sequence[str], named: Sequence[str] | None) -> list[str]:
    """Returns the model's columns in the sample: the named ones, its own (`feature_names_in_`), or all but the targets.

    Raises:
        Unprocessable: the sample lacks one, or has another number of columns.
    """
    if named is not None:
        return [sample.require(name, "features") for name in named]
    columns = [str(column) for column in sample.cells.columns]
    own = getattr(estimator, "feature_names_in_", None)
    if own is not None:
        return [_column_of(str(name), columns, sample) for name in own]
    rest = [column for column in columns if column not in targets]
    wanted = getattr(estimator, "n_features_in_", len(rest))
    if wanted != len(rest):
        raise Unprocessable.at(
            "features",
            f"the estimator was fitted with {counted(wanted, 'feature')} without names, and {sample.name} has "
            f"{counted(len(rest), 'column')}; list its columns in the estimator's order: --features a,b",
        )
    return rest


def _column_of(name: str, columns: Sequence[str], sample: Sample) -> str:
    """Returns the sample's column that a model calls `name`. LightGBM writes blanks in names as underscores."""
    if name not in columns:
        alike = [column for column in columns if re.sub(r"\s", "_", column) == name]
        if len(alike) == 1:
            return alike[0]
    return sample.require(name, "features")


def describe_features(script: Script, sample: Sample) -> list[Feature]:
    """Returns one feature per column, by its type in the whole sample. For now, each may be missing."""
    frame = script.read(sample.csv(columns=script.features))
    return [_feature(name, frame[name], script, sample) for name in script.features]


def _feature(name: str, column: "pd.Series[Any]", script: Script, sample: Sample) -> Feature:
    named = script.dialect.kinds.get(name)
    kind = named or _kind(column)
    more: dict[str, Any] = {}
    if kind in ("text", "category"):
        values = sorted(str(value) for value in column.dropna().unique())
        more["categories"] = values if kind == "category" or len(values) <= SHOWN_CATEGORIES else None
    if kind == "category" and isinstance(column.dtype, pd.CategoricalDtype):
        more["categories"] = column.cat.categories.tolist()
    if kind == "boolean" and named == "boolean":
        pair = boolean_pair(set(sample.cells[name].unique()) - set(script.dialect.na_texts()))
        if pair is not None and pair[0] not in TRUE_TEXTS:
            more |= {"true_values": [pair[0]], "false_values": [pair[1]]}
    if kind == "date":
        more |= {"dtype": str(column.dtype), "date_format": _date_format(name, column, sample, script)}
    return Feature(name=name, kind=kind, missing=True, **more)


def _kind(column: "pd.Series[Any]") -> Any:
    if column.dtype == "object":  # booleans with gaps: pandas gives other text the type `str`
        return "boolean"
    if column.dtype == "bool":
        return "boolean"
    return "number" if pd.api.types.is_numeric_dtype(column.dtype) else "text"


def _date_format(name: str, column: "pd.Series[Any]", sample: Sample, script: Script) -> str:
    if column.dtype.kind != "M":
        raise Unprocessable.at(name, "pandas cannot read all of its cells as dates of one format")
    na_texts = set(script.dialect.na_texts())
    first = next(cell for cell in sample.cells[name] if cell not in na_texts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = guess_datetime_format(first, dayfirst=script.dialect.dayfirst)
    if found is None:
        advice = _AS_TEXT if script.dialect.dayfirst else "write it as 2026-12-31"
        raise Unprocessable.at(name, f"pandas cannot guess the format of the date {first!r}; {advice}")
    _require_one_order(name, first, str(found), dayfirst=script.dialect.dayfirst)
    return str(found)


def _require_one_order(name: str, first: str, format: str, *, dayfirst: bool) -> None:
    """Refuses dates whose day and month pandas would read in another order in another file.

    It guesses the order by a file's first date, and the month comes first if that is possible.
    """
    example = _EITHER_WAY.strftime(format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = guess_datetime_format(example, dayfirst=dayfirst)
    if other is not None and other != format:
        raise Unprocessable.at(
            name,
            f"pandas reads {first!r} as {format}, but a file that begins with {example!r} as {other}, so your script "
            "takes days for months there. "
            + (
                "Leave out --dayfirst, and dayfirst in `read_csv` of your script. If another column needs it, "
                + _AS_TEXT
                if dayfirst
                else "Pass dayfirst=True to `read_csv` in your script, and --dayfirst here, "
                "or write dates as 2026-12-31"
            ),
        )
