"""Fitting a pipeline to rows, with the warnings of the libraries as sentences."""

import warnings
from typing import Any

import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import predict_in_one_thread
from training.findings import Say


def fit(pipeline: Pipeline, table: pd.DataFrame, values: npt.NDArray[Any], say: Say) -> Pipeline:
    """Fits the pipeline on all cores of the machine. Returns it ready to predict in one thread.

    Raises:
        Unprocessable: the estimator does not accept these rows.
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
