"""Which transformers act cell by cell, and which of their output columns comes from which input column.

A transformer acts cell by cell if what it makes of a cell depends only on the cell, the type of its column and what was
fitted. Only exact classes with parameters that are listed here are taken.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from rowcast.trees.evaluation.ensemble import Declined
from rowcast.trees.fast_copies import plain_class

_ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder, KBinsDiscretizer)
_COPIED_TYPES = ("str", str, "object", object, "float64", float, np.float64, "float32", np.float32)
"""Types to which `DataFrame.astype` converts cell by cell; a category, for example, depends on the other cells."""


@dataclass(frozen=True)
class Cellwise:
    """What is known of a transformer that acts cell by cell."""

    #: Number of output columns of each input column; the output has them in the order of the input.
    widths: tuple[int, ...]
    #: Whether at most one of an input column's output cells is not zero.
    one_hot: bool
    #: Whether it may warn of a cell, so that it has to see the cell in each call.
    warns: bool


def encoder_of(transformer: Any) -> tuple[str, Any] | None:
    """Returns the first encoder of a transformer that may be taken, with its path in the transformer; otherwise None.

    It is an encoder itself, or a pipeline of nothing but steps that act cell by cell. Pipelines without an encoder stay
    as they are: scikit-learn imputes and scales whole columns in one operation, which is as fast.
    """
    kind = plain_class(transformer)
    if kind in _ENCODERS:
        return "", transformer
    if kind is not Pipeline or not all(plain_class(step) in _WIDTHS for _, step in steps_of(transformer)):
        return None
    return next(((path, step) for path, step in steps_of(transformer) if plain_class(step) in _ENCODERS), None)


def steps_of(transformer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the steps of a pipeline and of the pipelines in it, with their paths; another transformer itself."""
    if plain_class(transformer) is not Pipeline:
        yield path, transformer
        return
    for place, (_, step) in enumerate(transformer.steps):
        if step is not None and not (isinstance(step, str) and step == "passthrough"):
            yield from steps_of(step, f"{path}.steps[{place}][1]")


def cellwise(transformer: Any) -> Cellwise:
    """Returns what is known of a fitted transformer for which `encoder_of` returns an encoder.

    Raises:
        Declined: a parameter has a value with which it does not act cell by cell, or which is not known here.
    """
    groups: list[Sequence[int]] | None = None
    one_hot = warns = False
    for _, step in steps_of(transformer):
        if vars(step).get("_sklearn_output_config", {}).get("transform", "default") != "default":
            raise Declined("`set_output` makes it return frames.")
        if vars(step).get("copy", True) is not True:
            raise Declined("With `copy=False` it changes the rows that it is given.")
        widths = list(_WIDTHS[plain_class(step)](step))
        groups = [[width] for width in widths] if groups is None else _composed(groups, widths)
        one_hot = _is_one_hot(step)
        warns = warns or _may_warn(step)
    if not groups:
        raise Declined("It has no columns.")
    return Cellwise(tuple(sum(group) for group in groups), one_hot, warns)


def _composed(groups: Sequence[Sequence[int]], widths: Sequence[int]) -> list[Sequence[int]]:
    """Returns the groups after a step that makes `widths` columns of each column of the groups."""
    ends = np.cumsum([sum(group) for group in groups])
    if len(widths) != ends[-1]:
        raise Declined("Its steps have different numbers of columns.")
    return [widths[end - sum(group) : end] for end, group in zip(ends.tolist(), groups, strict=True)]


def _one_hot_widths(step: Any) -> Sequence[int]:
    return [int(width) for width in step._n_features_outs]


def _same_widths(step: Any) -> Sequence[int]:
    return [1] * int(step.n_features_in_)


def _target_widths(step: Any) -> Sequence[int]:
    classes = len(step.classes_) if step.target_type_ == "multiclass" else 1
    return [classes] * int(step.n_features_in_)


def _bin_widths(step: Any) -> Sequence[int]:
    if step.encode == "ordinal":
        raise Declined("scikit-learn is as fast with ordinal bins.")
    return [int(bins) for bins in step.n_bins_]


def _imputed_widths(step: Any) -> Sequence[int]:
    if step.add_indicator or step.missing_values is pd.NA:
        raise Declined("An imputer with an indicator, or for `pandas.NA`, is left to scikit-learn.")
    if pd.isna(np.asarray(step.statistics_, "object")).any():
        raise Declined("Its imputer leaves out columns that had no values.")
    return _same_widths(step)


def _function_widths(step: Any) -> Sequence[int]:
    """Raises Declined, unless the function is `astype` or `fillna` of a DataFrame with one value, or there is none."""
    named, positional = step.kw_args or {}, getattr(step, "args", None)
    is_known = (
        (step.func is None and not named)
        or (step.func is pd.DataFrame.astype and list(named) == ["dtype"] and _is_copied_type(named["dtype"]))
        or (step.func is pd.DataFrame.fillna and list(named) == ["value"] and type(named["value"]) in (str, int, float))
    )
    if not is_known or step.validate or positional:
        raise Declined("A function may do anything, except `astype` and `fillna` of a DataFrame with one value.")
    return _same_widths(step)


def _is_copied_type(wanted: Any) -> bool:
    return isinstance(wanted, str | type) and wanted in _COPIED_TYPES


def _is_one_hot(step: Any) -> bool:
    return plain_class(step) in (OneHotEncoder, KBinsDiscretizer)


def _may_warn(step: Any) -> bool:
    if plain_class(step) is not OneHotEncoder:
        return False
    return step.handle_unknown == "warn" or (step.drop is not None and step.handle_unknown != "error")


_WIDTHS: dict[type, Callable[[Any], Sequence[int]]] = {
    OneHotEncoder: _one_hot_widths,
    OrdinalEncoder: _same_widths,
    TargetEncoder: _target_widths,
    KBinsDiscretizer: _bin_widths,
    SimpleImputer: _imputed_widths,
    StandardScaler: _same_widths,
    MinMaxScaler: _same_widths,
    MaxAbsScaler: _same_widths,
    RobustScaler: _same_widths,
    FunctionTransformer: _function_widths,
}
"""Exact classes only, each with the number of output columns of each input column."""
