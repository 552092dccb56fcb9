"""The script that any user would write: read the whole file, predict it in one call. It shares no code with Rowcast."""

from typing import Any

import numpy as np
import pandas as pd


def predict(model: Any, rows: Any) -> list[tuple[str, ...]]:
    """Returns one tuple for each row, with one text for each output of the model."""
    try:
        predicted = model.predict(rows)
    except Exception:  # fitted on an array
        predicted = model.predict(rows.to_numpy())
    return [tuple(map(str, np.ravel(row))) for row in predicted]


def script(model: Any, path: Any, features: Any, **read: Any) -> list[tuple[str, ...]]:
    return predict(model, pd.read_csv(path, **read)[features])
