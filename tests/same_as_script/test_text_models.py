"""Text pipelines, fitted on one column (a Series) or on one of several columns, predict as the user's own script does.

Crossed in full: pipelines x kinds of missing values. Texts hold delimiters, quotes, line ends and other alphabets.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, differences, fit, register, single_differences, write_csv
from feature_kinds import MISSING, NAMED
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

WORDS = [
    *("good", "fast", "bad", "slow", "Größe", "漢字", '"quoted"', "a,b", "two\nlines", "it's", "3.50", "007", "true"),
    *("broken", "again", "nan", "null", " spaced "),
]

trees = ExtraTreesClassifier(5, random_state=0)

ONE_COLUMN = {
    "tf-idf, logistic": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "tf-idf, svm": lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC()),
    "characters, bayes": lambda: make_pipeline(
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)), MultinomialNB()
    ),
    "counts, bayes": lambda: make_pipeline(CountVectorizer(binary=True, lowercase=False), ComplementNB()),
    "hashes, sgd": lambda: make_pipeline(HashingVectorizer(n_features=64), SGDClassifier(random_state=0)),
    "tf-idf, svd, trees": lambda: make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0), trees),
    "grid search": lambda: GridSearchCV(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), {"logisticregression__C": [1, 9]}, cv=2
    ),
}

FILLED = {
    "filled, tf-idf": lambda: make_pipeline(
        FunctionTransformer(users_code.fill_text), TfidfVectorizer(), LogisticRegression()
    ),
}

BESIDE_OTHERS = {
    "tf-idf of a column": lambda: make_pipeline(
        ColumnTransformer([("text", TfidfVectorizer(), "text"), ("age", SimpleImputer(), ["age"])]), trees
    ),
    "two text columns": lambda: make_pipeline(
        ColumnTransformer([("text", TfidfVectorizer(), "text"), ("title", CountVectorizer(), "title")]),
        LogisticRegression(),
    ),
}


def texts(random: np.random.Generator, rows: int, missing: str | None = None) -> list[str]:
    """Of two words or more, as pandas takes a lone "null" for a missing value."""
    made = [" ".join(random.choice(WORDS, random.integers(2, 6))) for _ in range(rows)]
    if missing is not None:
        for row in range(5, rows, 17):
            made[row] = missing
    return made


def files(folder: Path, missing: str | None) -> tuple[Path, Path, Reading, Any]:
    """Returns a sample and another file with the columns text, title and age; the target."""
    both = []
    for name, rows, seed in (("sample", 200, 1), ("file", 300, 2)):
        random = np.random.default_rng(seed)
        columns = {
            "age": [str(age) for age in random.integers(1, 99, rows)],
            "text": texts(random, rows, missing),
            "title": texts(random, rows),
        }
        both.append(write_csv(folder / f"{name}.csv", columns))
    return *both, Reading(na_values=NAMED), np.random.default_rng(3).integers(0, 3, 200)


def sample_of(path: Path, columns: list[str], read: Reading) -> Path:
    """Returns the sample with only these columns, as a user has it after training on them."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return write_csv(path, {name: frame[name] for name in columns})


@pytest.mark.parametrize("name", [*ONE_COLUMN, *FILLED])
def test_a_model_of_one_text_column_predicts_as_the_script(tmp_path: Path, name: str) -> None:
    sample, file, read, target = files(tmp_path, None)
    model = fit((ONE_COLUMN | FILLED)[name](), pd.read_csv(sample, **read.for_pandas)["text"], target)
    served = register(tmp_path, model, sample_of(sample, ["text"], read), read)
    found = differences(model, served, file, "text", read)
    found += single_differences(model, served, file, "text", read)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", BESIDE_OTHERS)
def test_a_model_of_text_beside_other_columns_predicts_as_the_script(tmp_path: Path, name: str) -> None:
    sample, file, read, target = files(tmp_path, None)
    features = ["age", "text", "title"]
    model = fit(BESIDE_OTHERS[name](), pd.read_csv(sample, **read.for_pandas)[features], target)
    served = register(tmp_path, model, sample, read)
    found = differences(model, served, file, features, read)
    found += single_differences(model, served, file, features, read)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("missing", [text for text in MISSING.values() if text is not None])
def test_a_missing_text_is_a_bad_row_if_the_script_refuses_it(tmp_path: Path, missing: str) -> None:
    """TF-IDF raises for NaN. The script fails as a whole, and the service predicts the other rows."""
    sample, _, read, target = files(tmp_path, None)
    (tmp_path / "gaps").mkdir()
    _, file, _, _ = files(tmp_path / "gaps", missing)
    model = fit(ONE_COLUMN["tf-idf, logistic"](), pd.read_csv(sample, **read.for_pandas)["text"], target)
    served = register(tmp_path, model, sample_of(sample, ["text"], read), read)
    found = differences(model, served, file, "text", read, may_be_bad=lambda row: pd.isna(row["text"]))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("missing", [text for text in MISSING.values() if text is not None])
def test_a_missing_text_is_predicted_if_the_script_fills_it(tmp_path: Path, missing: str) -> None:
    sample, file, read, target = files(tmp_path, missing)
    model = fit(FILLED["filled, tf-idf"](), pd.read_csv(sample, **read.for_pandas)["text"], target)
    served = register(tmp_path, model, sample_of(sample, ["text"], read), read)
    found = differences(model, served, file, "text", read)
    found += single_differences(model, served, file, "text", read)
    assert not found, "\n".join(found)
