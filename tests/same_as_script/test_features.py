"""Each kind of feature, prepared as users do it, reaches the model as `pandas.read_csv` gives it.

Crossed in full: kinds of features x steps that users write for them x kinds of missing values x three chunk sizes.
Each model takes one column for each kind of missing value, all of the same kind of feature; its prediction is a
checksum of what the step makes of them, so that no difference stays unseen.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, differences, fit, reading, register, single_differences, write_csv
from feature_kinds import KINDS, MISSING, NAMED, column
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from rowcast.errors import RowcastError

ROWS = 128
FILE_ROWS = 300


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)


def by(function: Any) -> FunctionTransformer:
    return FunctionTransformer(function)


STEPS: Mapping[str, Sequence[Any]] = {
    "nothing": [],
    "mean": [SimpleImputer()],
    "median and indicator": [SimpleImputer(strategy="median", add_indicator=True)],
    "constant": [SimpleImputer(strategy="constant", fill_value=-1)],
    "scaled": [StandardScaler()],
    "bins": [SimpleImputer(), KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")],
    "most frequent, one-hot": [SimpleImputer(strategy="most_frequent"), one_hot()],
    "constant text, one-hot": [SimpleImputer(strategy="constant", fill_value="none"), one_hot()],
    "one-hot": [one_hot()],
    "ordinal": [ordinal()],
    "target": [TargetEncoder(target_type="continuous", cv=2)],
    "astype(str), one-hot": [by(users_code.as_text), one_hot()],
    "str(), one-hot": [by(users_code.as_python_text), one_hot()],
    "objects, one-hot": [by(users_code.as_objects), one_hot()],
    "characters": [by(users_code.digits_after_the_point)],
    "floats": [by(users_code.as_floats)],
    "fillna": [by(users_code.fill_text), one_hot()],
    "fillna(-1)": [by(users_code.fill_minus_one)],
    "str.len": [by(users_code.lengths)],
    "str.upper": [by(users_code.upper), one_hot()],
    "len()": [by(users_code.python_lengths)],
    "isna": [by(users_code.is_missing)],
    "== True": [by(users_code.is_true)],
    "select_dtypes": [by(users_code.numbers_only)],
    "get_dummies": [by(users_code.known_dummies)],
    "parts of dates": [by(users_code.date_parts)],
    "dates as integers": [by(users_code.date_numbers)],
    "days since": [by(users_code.days_since)],
    "weekdays": [by(users_code.weekday_names), one_hot()],
    "cat.codes": [by(users_code.category_codes)],
    "pandas output": [
        SimpleImputer(strategy="most_frequent").set_output(transform="pandas"),
        by(users_code.as_text),
        one_hot(),
    ],
}

_NUMBERS = ["nothing", "mean", "median and indicator", "constant", "scaled", "bins", "one-hot", "fillna(-1)", "isna"]
_DISTINGUISHING = ["astype(str), one-hot", "str(), one-hot", "characters", "select_dtypes"]
_TEXT = [
    *("most frequent, one-hot", "constant text, one-hot", "one-hot", "ordinal", "target", "astype(str), one-hot"),
    *("str(), one-hot", "objects, one-hot", "fillna", "str.len", "str.upper", "len()", "isna", "get_dummies"),
    "pandas output",
]
_SOME_TEXT = ["most frequent, one-hot", "ordinal", "str(), one-hot", "len()"]
_BOOLEANS = ["one-hot", "ordinal", "str(), one-hot", "floats", "nothing", "isna", "== True", "objects, one-hot"]
_DATES = ["parts of dates", "dates as integers", "days since", "weekdays", "isna"]

USED = {
    "float": _NUMBERS,
    "float with a comma": ["nothing", "mean", "scaled"],
    "few floats": ["most frequent, one-hot", "ordinal", "target", *_DISTINGUISHING],
    "integer": [*_NUMBERS, "most frequent, one-hot", "ordinal", "target", *_DISTINGUISHING],
    "text": _TEXT,
    "boolean": _BOOLEANS,
    "date": _DATES,
    "American date": _DATES,
    "moment": _DATES,
    "moment in UTC": ["parts of dates", "dates as integers", "weekdays", "isna"],
    "category": ["one-hot", "ordinal", "most frequent, one-hot", "astype(str), one-hot", "cat.codes", "isna"],
    "category of numbers": ["one-hot", "ordinal", "astype(str), one-hot", "cat.codes"],
    "digits": ["most frequent, one-hot", "one-hot", "ordinal", "str(), one-hot", "str.len"],
    "digits as numbers": ["nothing", "one-hot", "mean"],
    "yes/no": _SOME_TEXT,
    "yes/no as boolean": ["one-hot", "str(), one-hot", "floats", "== True"],
    "mixed": _TEXT[:6],
}

TABLE = [(kind, step) for kind, steps in USED.items() for step in steps]

MAY_BE_REFUSED = {(kind, step) for kind in ("integer", "few floats") for step in _DISTINGUISHING} | {
    ("category of numbers", "astype(str), one-hot"),
    ("category of numbers", "cat.codes"),
    ("category", "cat.codes"),
}
"""What registration may refuse, if it says for which feature.

A step that distinguishes 3 from 3.0 depends on whether the file's column has a gap or a fraction anywhere, which a
chunk does not show. pandas itself makes text of categories that are numbers if there is a gap among the rows, and
gives a category's codes by the values that a file happens to have.
"""


def columns(kind: str, rows: int, seed: int) -> dict[str, list[str]]:
    random = np.random.default_rng(seed)
    return {f"with {name}": column(KINDS[kind], missing, random, rows) for name, missing in MISSING.items()}


def read_of(kind: str) -> Reading:
    return reading({f"with {name}": KINDS[kind] for name in MISSING}, NAMED)


@pytest.mark.parametrize(("kind", "step"), TABLE)
def test_features_reach_the_model_as_pandas_reads_them(tmp_path: Path, kind: str, step: str) -> None:
    read = read_of(kind)
    sample = write_csv(tmp_path / "sample.csv", columns(kind, ROWS, 1))
    file = write_csv(tmp_path / "file.csv", columns(kind, FILE_ROWS, 2))
    frame = pd.read_csv(sample, **read.for_pandas)
    features = list(frame)
    model = fit(make_pipeline(*STEPS[step], users_code.Checksum()), frame, np.random.default_rng(3).normal(size=ROWS))
    try:
        served = register(tmp_path, model, sample, read)
    except RowcastError as refusal:
        named = "with " in str(refusal) or "Batch-dependent step" in str(refusal)
        if (kind, step) in MAY_BE_REFUSED and named:
            return
        raise
    found = differences(model, served, file, features, read)
    found += single_differences(model, served, file, features, read)
    assert not found, "\n".join(found)
