"""The code that users write themselves: steps of their pipelines, and models that are plain classes."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin


class Checksum(RegressorMixin, BaseEstimator):
    """Predicts a number in which each column of each row shows: no other input gives the same.

    It adds column by column, so that the order of additions does not depend on how many rows there are.
    """

    def fit(self, table: Any, target: Any = None) -> "Checksum":
        self.n_features_in_ = table.shape[1]
        return self

    def predict(self, table: Any) -> Any:
        table = table.toarray() if sparse.issparse(table) else np.asarray(table)
        total = np.zeros(len(table))
        for place in range(table.shape[1]):
            column = table[:, place].astype("float64")
            total += np.where(np.isnan(column), 0.12345, column) * (1 + np.sqrt(place + 2))
        return total


class Plain:
    """No estimator of scikit-learn: it has `predict(frame)`, takes columns by name and predicts text."""

    def predict(self, frame: pd.DataFrame) -> list[str]:
        shown = [
            f"{float(age)}/{town}" for age, town in zip(frame["age"].tolist(), frame["town"].tolist(), strict=True)
        ]
        return [f"{text}/{member}" for text, member in zip(shown, frame["member"].tolist(), strict=True)]


class PlainNumbers:
    """No estimator of scikit-learn: it has `predict(frame)` and predicts a number from three columns."""

    def predict(self, frame: pd.DataFrame) -> "pd.Series[float]":
        return frame["height cm"].fillna(-1) * 3.0 + frame["age"].fillna(0.5) + frame["town"].isna()


class Picker(TransformerMixin, BaseEstimator):
    """Picks columns by name, and keeps no `feature_names_in_`."""

    def __init__(self, columns: Any = ()) -> None:
        self.columns = columns

    def fit(self, frame: pd.DataFrame, target: Any = None) -> "Picker":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[list(self.columns)]


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(str)


def as_python_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns what `str` says of each value: NaN is 'nan', and 3 is not 3.0."""
    return frame.map(str).astype(object)


def as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object)


def as_floats(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype("float64")


def fill_text(frame: Any) -> Any:
    """Works for a frame and for a series."""
    return frame.fillna("nothing")


def fill_minus_one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.fillna(-1)


def lengths(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.str.len())


def python_text_lengths(frame: pd.DataFrame) -> pd.DataFrame:
    """Works for numbers as well."""
    return frame.apply(lambda column: column.astype(str).str.len())


def halves(frame: pd.DataFrame) -> pd.DataFrame:
    """Fails for text."""
    return frame % 10 / 2


def product_and_digit(frame: pd.DataFrame) -> pd.DataFrame:
    """Overflows at 64 bits if both columns are whole numbers, and reads the last digit of the third one."""
    return pd.DataFrame({"product": frame["a"] * frame["b"] > 50, "digit": frame["x"].fillna(0) % 10})


def upper(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.str.upper().str.strip())


def python_lengths(frame: pd.DataFrame) -> pd.DataFrame:
    """Uses a function of plain Python, which distinguishes None, NaN and text."""
    return frame.map(lambda value: -1 if value is None else len(value) if isinstance(value, str) else -2)


def is_missing(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.isna().astype(int)


def is_true(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame == True).astype(int)  # noqa: E712  (as users write it)


def numbers_only(frame: pd.DataFrame) -> pd.DataFrame:
    """By `select_dtypes`, and how many columns there are of each type."""
    kept = frame.select_dtypes(["number", "bool"])
    whole = frame.select_dtypes("integer").shape[1]
    return pd.DataFrame(
        {"columns": [kept.shape[1]] * len(frame), "whole": whole, "sum": kept.astype("float64").fillna(0.5).sum(axis=1)}
    )


def digits_after_the_point(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns how long a number is when it is written: 3 has one character, 3.0 three."""
    return frame.map(lambda value: len(str(value)))


def known_dummies(frame: pd.DataFrame) -> pd.DataFrame:
    """`get_dummies` with columns fixed in advance, so that the result for a row does not depend on other rows."""
    wanted = [f"{column}_{town}" for column in frame.columns for town in ("Aix", "Bonn", "Oslo", "3", "4.5", "yes")]
    return pd.get_dummies(frame).reindex(columns=wanted, fill_value=False).astype(int)


def date_parts(frame: pd.DataFrame) -> pd.DataFrame:
    parts = {}
    for name in frame.columns:
        moment = frame[name].dt
        parts |= {f"{name} y": moment.year, f"{name} m": moment.month, f"{name} d": moment.day_of_week}
        parts |= {f"{name} h": moment.hour}
    return pd.DataFrame(parts)


def numbers_of_members(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns when members joined, and whether they are members, as numbers."""
    joined, member = frame["joined"].dt, frame["member"].map({True: 1.0, False: 0.0})
    return pd.DataFrame({"year": joined.year, "weekday": joined.day_of_week, "member": member})


def date_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the integers inside, which depend on pandas' unit of dates; a missing one is the smallest integer."""
    return frame.astype("int64").clip(lower=-(10**9))


def days_since(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame - pd.Timestamp("2020-01-01")).apply(lambda column: column.dt.total_seconds() / 86400)


def weekday_names(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.dt.strftime("%A").fillna("never"))


def category_codes(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the codes of the categories that the columns come with."""
    return frame.apply(lambda column: column.cat.codes)


# Steps that look at the whole batch: a row's prediction depends on the rows around it.


def users_codes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.astype("category").cat.codes)


def batch_scaled(frame: pd.DataFrame) -> pd.DataFrame:
    return (frame - frame.mean()) / frame.std()


def batch_filled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.fillna(frame.mean())


def ranks(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rank()


def filled_from_above(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.ffill().fillna(0)


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.diff().fillna(0)


def row_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(number=range(len(frame)))


# Models that show what they are given, bit for bit.


class Shown:
    """Predicts what the column `x` holds, and of which type each value is."""

    def predict(self, frame: pd.DataFrame) -> list[str]:
        return [f"{type(value).__name__} {value!r}" for value in frame["x"].tolist()]


class Same(RegressorMixin, BaseEstimator):
    """Predicts the column `x` itself, as a number of the type that it has."""

    def fit(self, frame: pd.DataFrame, target: Any = None) -> "Same":
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.n_features_in_ = frame.shape[1]
        return self

    def predict(self, frame: pd.DataFrame) -> Any:
        return frame["x"].to_numpy()
