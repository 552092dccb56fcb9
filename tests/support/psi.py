"""PSI by pandas and numpy, as docs/drift.md has its formula: what the service is compared with."""

import numpy as np
import pandas as pd


def psi(sample: pd.Series, batch: pd.Series) -> float:
    """Returns the PSI of a column, whose numbers and dates are in bins of tenths, and other values in one bin each."""
    is_number = pd.api.types.is_numeric_dtype(sample) and sample.dtype != "bool"
    bins = _tenths if is_number or pd.api.types.is_datetime64_any_dtype(sample) else _values
    expected, seen = bins(sample, sample), bins(sample, batch)
    e, s = (np.maximum(counts / counts.sum(), 0.0001) for counts in (expected, seen))
    return float(((s - e) * np.log(s / e)).sum())


def _tenths(sample: pd.Series, column: pd.Series) -> np.ndarray:
    present = np.sort(sample.dropna().to_numpy())
    places = np.ceil(np.arange(1, 10) / 10 * len(present)).astype(int) - 1
    ends = [end for end in np.unique(present[places]) if end < present[-1]]
    if present[0] == present[-1]:  # other numbers, smaller or larger, are in separate bins
        ends = [np.nextafter(present[0], -np.inf), present[0]]
    place = np.searchsorted(np.array(ends), column.dropna().to_numpy(), side="left")
    return np.append(np.bincount(place, minlength=len(ends) + 1), column.isna().sum())


def _values(sample: pd.Series, column: pd.Series) -> np.ndarray:
    texts = sample.dropna().astype(str).value_counts()
    frequent = sorted(texts.index, key=lambda text: (-texts[text], text))[:50]
    counts = column.dropna().astype(str).value_counts()
    known = counts.reindex(frequent, fill_value=0)
    return np.array([*known, counts.sum() - known.sum(), column.isna().sum()])
