"""Random column transformers over text and numbers, and rows for them: known, unknown, missing and odd cells."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
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

TEXTS = ["red", "green", "blue", "", " ", "12", "1.0", "nan", "\xe9", "never seen", "x" * 40]
NUMBERS = [0.0, -0.0, 1.0, 2.5, -7.0, 5e-324, 1e300, np.inf, np.nan, 3.0]


def random_frame(random: np.random.Generator, rows: int, known: int) -> pd.DataFrame:
    """Returns rows of text (`a`, `b`, an object column `c`), categories, floats and whole numbers.

    Cells are among the first `known` texts and numbers, and some are missing.
    """
    missing = random.random() < 0.5

    def texts() -> list[Any]:
        drawn = random.choice(TEXTS[:known], rows).tolist()
        return [np.nan if missing and random.random() < 0.05 else text for text in drawn]

    return pd.DataFrame(
        {
            "a": pd.Series(texts(), dtype="str"),
            "b": pd.Series(texts(), dtype="str"),
            "c": pd.Series(texts(), dtype="object"),
            "kind": pd.Categorical(random.choice(["u", "v", "w"], rows), categories=["u", "v", "w"]),
            "x": random.choice(NUMBERS[: min(known, 6)] + ([np.nan] if missing else []), rows),
            "y": random.standard_normal(rows),
            "n": random.integers(0, known, rows),
        }
    )


def random_transformer(random: np.random.Generator) -> ColumnTransformer:
    """Returns a column transformer with one to three groups of steps, which is not fitted."""

    def choose(*values: Any) -> Any:
        return values[int(random.integers(len(values)))]

    def encoder() -> Any:
        one_hot = OneHotEncoder(
            handle_unknown=choose("error", "ignore", "infrequent_if_exist", "warn"),
            drop=choose(None, None, "first", "if_binary"),
            max_categories=choose(None, None, 3),
            sparse_output=choose(True, False),
            dtype=choose(np.float64, np.float32, np.int64),
        )
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=choose(np.nan, -1),
            encoded_missing_value=choose(np.nan, -2),
            max_categories=choose(None, 3),
        )
        return choose(one_hot, one_hot, ordinal, OrdinalEncoder(), TargetEncoder(random_state=0))

    def of_text() -> Any:
        before = choose(
            [],
            [],
            [SimpleImputer(strategy="most_frequent")],
            [SimpleImputer(strategy="constant", fill_value="none")],
            [FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": "none"}, feature_names_out="one-to-one")],
            [FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "object"}, feature_names_out="one-to-one")],
        )
        after = choose([], [], [MaxAbsScaler()], [StandardScaler(with_mean=False)], [make_pipeline(MinMaxScaler())])
        return make_pipeline(*before, encoder(), *after) if before or after else encoder()

    def of_numbers() -> Any:
        bins = KBinsDiscretizer(
            3, encode=choose("onehot", "onehot-dense", "ordinal"), quantile_method="averaged_inverted_cdf"
        )
        return choose(
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_pipeline(SimpleImputer(strategy="median"), bins),
            make_pipeline(RobustScaler(), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
            "passthrough",
        )

    text = choose(["a", "b"], ["a"], ["b", "c"], ["a", "b", "c"], make_column_selector(dtype_include=["str", "object"]))
    groups = [
        ("text", of_text(), text),
        ("kind", encoder(), ["kind"]),
        ("numbers", of_numbers(), choose(["x", "y"], ["y", "x", "n"], ["x"])),
        ("whole", OneHotEncoder(handle_unknown="ignore"), ["n"]),
    ]
    chosen = [group for group in groups if random.random() < 0.6] or groups[:1]
    return ColumnTransformer(
        chosen,
        remainder="drop" if choose(True, True, False) else make_pipeline("passthrough"),
        sparse_threshold=choose(0, 0.3, 1.0),
        verbose_feature_names_out=choose(True, False),
    )
