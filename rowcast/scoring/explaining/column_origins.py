"""The origins of columns: from which input column each column comes that a pipeline's steps hand to its last one.

Only steps are followed that make each column of one input column, and only exact classes of scikit-learn: a subclass
may do something else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import compose, decomposition, impute, pipeline, preprocessing
from sklearn.feature_selection import SelectorMixin

from rowcast.scoring.explaining.explanations import Inexplicable
from rowcast.trees.fast_copies import plain_class

Origins = NDArray[np.int64]
"""For each column the place of its input column."""


def column_origins(steps: Sequence[Any], origins: Origins) -> Origins:
    """Returns the origins of the columns that the steps make, given those of the columns that they get.

    Raises:
        Inexplicable: a step mixes columns, or it is not known how it makes its columns.
    """
    for step in steps:
        if step is not None and step != "passthrough":
            origins = _of_step(step, origins)
    return origins


def _of_step(step: Any, origins: Origins) -> Origins:
    kind = plain_class(step)
    name = kind.__name__
    if kind in _ONE_TO_ONE or (name == "TfidfTransformer" and len(np.unique(origins)) == 1):
        return origins
    if isinstance(step, SelectorMixin) and kind.__module__.startswith("sklearn."):
        return np.asarray(origins[step.get_support()])
    if kind.__name__ in _TEXT and kind.__module__ == "sklearn.feature_extraction.text":
        if len(origins) != 1:
            raise Inexplicable(f"has a {name} of several columns")
        return np.full(_text_columns(step), origins[0], np.int64)
    if kind in _OTHERS:
        return _OTHERS[kind](step, origins)
    if len(np.unique(origins)) == 1 and hasattr(step, "get_feature_names_out"):
        # Whatever it does, all of its columns come from the only one.
        return np.full(len(step.get_feature_names_out()), origins[0], np.int64)
    if kind in _MIXING:
        raise Inexplicable(f"has a {name}, each column of which comes from several columns")
    raise Inexplicable(f"has the step {name}, whose columns cannot be traced back to those of the input")


def _of_pipeline(step: Any, origins: Origins) -> Origins:
    return column_origins([one for _, one in step.steps], origins)


def _of_union(step: Any, origins: Origins) -> Origins:
    parts = [column_origins([one], origins) for _, one in step.transformer_list if one != "drop"]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _of_column_transformer(step: Any, origins: Origins) -> Origins:
    inputs = getattr(step, "_transformer_to_input_indices", None)
    if inputs is None:
        raise Inexplicable("has a ColumnTransformer of another version of scikit-learn")
    parts = [
        column_origins([one], origins[np.asarray(inputs[name], np.int64)])
        for name, one, _ in step.transformers_
        if not (isinstance(one, str) and one == "drop") and len(inputs[name])
    ]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _of_imputer(step: Any, origins: Origins) -> Origins:
    kept = origins
    if not step.keep_empty_features and step.strategy != "constant":
        is_empty = np.asarray(pd.isna(np.asarray(step.statistics_, object)), bool)
        kept = origins[~is_empty]
    return kept if step.indicator_ is None else np.concatenate([kept, origins[step.indicator_.features_]])


def _of_indicator(step: Any, origins: Origins) -> Origins:
    return np.asarray(origins[step.features_])


def _of_one_hot(step: Any, origins: Origins) -> Origins:
    counts = getattr(step, "_n_features_outs", None)
    if counts is None or len(counts) != len(origins):
        raise Inexplicable("has a OneHotEncoder of another version of scikit-learn")
    return np.repeat(origins, np.asarray(counts, np.int64))


def _of_bins(step: Any, origins: Origins) -> Origins:
    return origins if step.encode == "ordinal" else np.repeat(origins, np.asarray(step.n_bins_, np.int64))


def _of_equal_shares(step: Any, origins: Origins) -> Origins:
    """Returns the origins if every input column becomes as many columns, side by side."""
    return np.repeat(origins, len(step.get_feature_names_out()) // len(origins))


def _of_target_encoder(step: Any, origins: Origins) -> Origins:
    return _of_equal_shares(step, origins) if step.target_type_ == "multiclass" else origins


def _of_function(step: Any, origins: Origins) -> Origins:
    is_cellwise = step.func is None or (isinstance(step.func, np.ufunc) and step.func.nin == 1)
    if is_cellwise or step.feature_names_out == "one-to-one":
        return origins
    raise Inexplicable(
        "has a FunctionTransformer with a function that is not numpy's; give it feature_names_out='one-to-one' if each "
        "of its columns comes from the input column in the same place"
    )


_TEXT = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")


def _text_columns(step: Any) -> int:
    vocabulary = getattr(step, "vocabulary_", None)
    return int(step.n_features if vocabulary is None else len(vocabulary))


_ONE_TO_ONE: set[type] = {
    *(preprocessing.StandardScaler, preprocessing.MinMaxScaler, preprocessing.MaxAbsScaler),
    *(preprocessing.RobustScaler, preprocessing.QuantileTransformer, preprocessing.PowerTransformer),
    *(preprocessing.OrdinalEncoder, preprocessing.Binarizer),
}
"""Each column comes from the input column in the same place."""

_OTHERS: dict[type, Callable[[Any, Origins], Origins]] = {
    pipeline.Pipeline: _of_pipeline,
    pipeline.FeatureUnion: _of_union,
    compose.ColumnTransformer: _of_column_transformer,
    impute.SimpleImputer: _of_imputer,
    impute.MissingIndicator: _of_indicator,
    preprocessing.OneHotEncoder: _of_one_hot,
    preprocessing.KBinsDiscretizer: _of_bins,
    preprocessing.SplineTransformer: _of_equal_shares,
    preprocessing.TargetEncoder: _of_target_encoder,
    preprocessing.FunctionTransformer: _of_function,
}

_MIXING: set[type] = {
    *(preprocessing.PolynomialFeatures, preprocessing.Normalizer, impute.KNNImputer),
    *(decomposition.PCA, decomposition.TruncatedSVD),
}
"""Steps that are known to mix columns."""
