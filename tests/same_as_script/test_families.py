"""Each family of estimators predicts as the user's own script does.

Crossed in full: families x kinds of features (each model takes a frame with nine features of different kinds) x three
chunk sizes. Crossed pairwise: the kind of missing value moves on by one from family to family and from feature to
feature, so that each family meets each kind of missing value, and each feature meets each.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from as_the_service import differences, fit, reading, register, single_differences, write_csv
from families import FAMILIES, Family
from feature_kinds import KINDS, MISSING, NAMED, column

COLUMNS = {
    "height cm": KINDS["float"],
    "age": KINDS["integer"],
    "town": KINDS["text"],
    "member": KINDS["boolean"],
    "joined": KINDS["date"],
    "plan": KINDS["category"],
    "zip": KINDS["digits"],
    "agree": KINDS["yes/no"],
    "code": KINDS["mixed"],
}
CATEGORIES = ["height cm", "age", "plan"]
"""The features of the models that take categories as they are."""

TRAINED_ROWS, FILE_ROWS = 128, 300

READ = reading(COLUMNS, NAMED)

DIFFER_IN_LAST_BITS = {"neighbours of amounts by brute force"}
"""Its distances are a product of matrices whose last bit depends on how many rows there are. Neighbours as
near to the last bit but one come in another order then, and their mean differs in its last bit. A sample need not show
it: scikit-learn itself predicts a file otherwise than its halves.
"""


def cells(number: int, rows: int, seed: int) -> dict[str, list[str]]:
    """Returns a file's columns; `number` is the family's, which decides on the kinds of missing values."""
    random = np.random.default_rng(seed)
    missing = list(MISSING.values())
    return {
        name: column(kind, missing[(number + place) % len(missing)], random, rows)
        for place, (name, kind) in enumerate(COLUMNS.items())
    }


def targets(frame: pd.DataFrame) -> dict[str, Any]:
    """Returns what models learn: values that follow from the features, with some noise."""
    random = np.random.default_rng(1)
    height = (frame["height cm"].fillna(170) - 170) / 9
    amount = height.to_numpy() + frame["town"].isin(["Aix", "Oslo"]) * 0.5 + random.normal(0, 0.3, len(frame))
    classes = np.digitize(amount, [-0.3, 0.8])
    labels = np.array(["low", "mid, so so", 'a "high"'])[classes]
    amounts = np.stack([amount, -amount + height], axis=1)
    return {
        "amount": amount.to_numpy(),
        "count": np.digitize(amount, [-1, 0, 1, 2]),
        "class": classes,
        "labels": labels,
        "truth": classes == 1,
        "amounts": amounts,
        "flags": np.stack([classes == 0, classes == 2, height > 0], axis=1).astype(int),
        "frame": pd.DataFrame({"target": amount}),
    }


def case(folder: Path, name: str) -> tuple[Any, Path, Path, list[str]]:
    """Returns a fitted model, the sample that it learned from, another file, and the features."""
    number, family = list(FAMILIES).index(name), FAMILIES[name]
    sample = write_csv(folder / "sample.csv", cells(number, TRAINED_ROWS, 2))
    file = write_csv(folder / "file.csv", cells(number, FILE_ROWS, 3))
    features = CATEGORIES if family.takes_categories else list(COLUMNS)
    model, frame = family.make(), pd.read_csv(sample, **READ.for_pandas)
    if hasattr(model, "fit"):
        fit(model, frame[features], targets(frame)[family.target] if family.target else None)
    write_csv(sample, {name: cells(number, TRAINED_ROWS, 2)[name] for name in features})
    return model, sample, file, features


@pytest.mark.parametrize("name", FAMILIES)
def test_files_are_predicted_as_by_the_script(tmp_path: Path, name: str) -> None:
    family: Family = FAMILIES[name]
    model, sample, file, features = case(tmp_path, name)
    served = register(tmp_path, model, sample, reading({name: COLUMNS[name] for name in features}, NAMED))
    found = differences(model, served, file, features, READ, exact=name not in DIFFER_IN_LAST_BITS)
    found += single_differences(model, served, file, features, READ, exact=not family.is_blas)
    assert not found, "\n".join(found)
