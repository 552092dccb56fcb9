"""Fitting: a pipeline on rows, with what the libraries complain of put into words."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import predict_in_one_thread


def fit(pipeline: Pipeline, table: pd.DataFrame, values: npt.NDArray[Any], say: Callable[[str], None]) -> Pipeline:
    """The pipeline, fitted in all of the machine's cores and ready to predict in one.

    Raises:
        Unprocessable: the estimator does not take these rows.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pipeline.fit(table, values)
        except ValueError as error:
            raise Unprocessable(f"The estimator cannot be fitted to these rows: {error}") from error
    for message in dict.fromkeys(str(warning.message).split("\n", 1)[0] for warning in caught):
        say(f"While fitting: {message}")
    predict_in_one_thread(pipeline)
    return pipeline
