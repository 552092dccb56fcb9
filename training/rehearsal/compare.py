"""Comparing predictions bit for bit, and saying where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.rehearsal.users_script import Answers

_RELATIVE = 1e-9
"""Larger differences are not rounding: the last bits of a sum are about 1e-15 of it."""


@dataclass(frozen=True)
class Difference:
    """The first row that differs. `row` counts from 0."""

    row: int
    method: str
    script: str
    service: str
    is_rounding: bool = False
    """Whether only the last bits of floats differ."""

    def said(self, file: str) -> str:
        """Returns the difference in words, with the file's name and the row's number in it, counted from 1."""
        where = f"in row {self.row + 1} of {file}"
        return f"{where} `{self.method}` gives {self.script} in your script and {self.service} in the service"


def difference(script: Answers, service: Answers, rows: Sequence[int] | None = None) -> Difference | None:
    """Returns the first difference in any bit; None if there is none. `rows` has the rows' numbers, from 0."""
    for method, wanted in script.items():
        unequal = np.flatnonzero(_unequal(wanted, service[method]))
        if len(unequal):
            at = int(unequal[0])
            number = at if rows is None else int(rows[at])
            rounding = is_rounding(script, service)
            return Difference(number, method, shown(wanted[at]), shown(service[method][at]), rounding)
    return None


def is_rounding(script: Answers, service: Answers) -> bool:
    """Returns whether all differences are in the last bits of floats, and all labels are equal."""
    return all(
        wanted.shape == service[method].shape
        and not _are_written_otherwise(wanted, service[method])
        and (
            not _unequal(wanted, service[method]).any()
            or (wanted.dtype.kind == "f" and np.allclose(wanted, service[method], _RELATIVE, 1e-12, equal_nan=True))
        )
        for method, wanted in script.items()
    )


def taken(answers: Answers, which: Any) -> Answers:
    """Returns the answers for some of the rows."""
    return {method: values[which] for method, values in answers.items()}


def shown(value: Any) -> str:
    """Returns one row's answer, as a person reads it."""
    return repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)


def _are_written_otherwise(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Returns whether equal values of both arrays would be different cells, for example 12 and 12.0."""
    kinds = {"i": "integer", "u": "integer", "f": "float", "b": "boolean"}
    return kinds.get(first.dtype.kind, "text") != kinds.get(second.dtype.kind, "text")


def _unequal(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns for each row whether any bit differs; a NaN equals a NaN."""
    if first.shape != second.shape or _are_written_otherwise(first, second):
        return np.ones(max(1, min(len(first), len(second))), np.bool_)
    if first.dtype.kind == "f" and second.dtype == first.dtype:
        same = (first == second) & (np.signbit(first) == np.signbit(second)) | (np.isnan(first) & np.isnan(second))
    else:
        same = np.array(first == second, np.bool_) | (pd.isna(first) & pd.isna(second))
    unequal: NDArray[np.bool_] = ~same
    return unequal if unequal.ndim == 1 else np.any(unequal, axis=1)
