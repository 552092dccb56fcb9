"""Batch dependence: whether the prediction of a row depends on the rows around it, and which step is the reason."""

import warnings
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from rowcast.errors import Unprocessable
from rowcast.wording.exception_text import one_line_with_type
from training.rehearsal.checks.chunk_cuts import BLOCK_ROWS, chunk_cuts
from training.rehearsal.checks.neighbours import REMEDY, looks_by_brute_force
from training.rehearsal.checks.single_rows import SINGLE_ROWS, SingleRows, in_time, rows_alone
from training.rehearsal.compare import Difference, difference, is_rounding, taken
from training.rehearsal.users_script import Answers, Script

ROUNDING_NOTE = (
    "Single rows, and files under 64 rows, may differ in the last bit from the same rows in a larger file, as they do "
    "in scikit-learn itself (BLAS)."
)

_MESSAGE_CHARACTERS = 200


def require_independent_rows(
    script: Script, frame: pd.DataFrame, whole: Answers, alone: SingleRows = SINGLE_ROWS
) -> list[str]:
    """Compares the script's answers for the whole frame with those for pieces and for single rows.

    Every row is predicted by itself if the time is enough, otherwise as many as possible (`single_rows.py`).

    Returns:
        Sentences for the notes of the manifest.

    Raises:
        Unprocessable: predictions depend on the rows around them; it names the step and both values.
    """
    numbers = frame.index.to_numpy()
    frame = frame.reset_index(drop=True).copy()  # in one block: its rows are cheap then
    if len(frame) < 2:
        raise Unprocessable(
            "The sample has one row that the model can predict. Take more: one row does not show "
            "whether predictions depend on the rows around them."
        )
    rounds = False
    single = in_time(rows_alone(frame, whole["predict"]), alone.seconds, alone.by_script)
    for start, stop in chain(_pieces(len(frame)), ((row, row + 1) for row in single)):
        try:
            piece = script.shared_answers(frame.iloc[start:stop].reset_index(drop=True))
        except Exception as error:
            why = one_line_with_type(error, _MESSAGE_CHARACTERS)
            raise _refusal(script, frame, None, f"rows {start + 1} to {stop} by themselves raise {why}") from error
        wanted = taken(whole, slice(start, stop))
        found = difference(wanted, piece, numbers[start:stop].tolist())
        if found is None:
            continue
        is_a_chunk = start % BLOCK_ROWS == 0 and (stop % BLOCK_ROWS == 0 or stop == len(frame)) and stop - start > 1
        if is_a_chunk or not is_rounding(wanted, piece):
            raise _refusal(script, frame, found, "")
        rounds = True
    return [ROUNDING_NOTE] if rounds else []


def _pieces(rows: int) -> list[tuple[int, int]]:
    """Returns the pieces to compare, as (start, stop). A file that is one chunk is cut in two all the same."""
    return chunk_cuts(rows) if rows > BLOCK_ROWS else [(0, rows // 2), (rows // 2, rows)]


def _refusal(script: Script, frame: pd.DataFrame, found: Difference | None, why: str) -> Unprocessable:
    step = _dependent_step(script, frame)
    where = f" The step that depends on its neighbours is {step}." if step else ""
    if found is not None:
        why = (
            f"row {found.row + 1} of the sample gets {found.script} by `{found.method}` within the whole file, and "
            f"{found.service} among fewer rows"
        )
    return Unprocessable(
        f"Batch-dependent step: what the model predicts for a row depends on the rows around it: {why}.{where} The "
        f"service cuts files into chunks, so it could not give what your script gives. {_remedy(script)}"
    )


def _remedy(script: Script) -> str:
    if looks_by_brute_force(script.estimator):
        return (
            "It looks for neighbours by brute force, and in scikit-learn the last bit of such a distance depends on "
            f"the number of rows. {REMEDY}"
        )
    return (
        "Replace that step by one that learns in `fit` (for example StandardScaler instead of a FunctionTransformer "
        "of `scale`)."
    )


def _dependent_step(script: Script, frame: pd.DataFrame) -> str | None:
    """Returns the first step of a pipeline with another output for half of the rows than half of its output."""
    steps = getattr(script.estimator, "steps", None)
    if not steps or len(frame) < 2:
        return None
    table: Any = script.table(frame)
    for name, step in steps[:-1]:
        if step in (None, "passthrough"):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                after = step.transform(table)
                alone = step.transform(_half(table))
        except Exception:
            return repr(name)
        if not _same(_half(after), alone):
            return _inner_step(name, step, table) or repr(name)
        table = after
    return repr(steps[-1][0])


def _inner_step(name: str, step: Any, table: Any) -> str | None:
    """Returns the transformer of a ColumnTransformer that depends on the rows."""
    for inner, transformer, columns in getattr(step, "transformers_", []):
        if not hasattr(transformer, "transform"):
            continue
        try:
            part = table[columns] if isinstance(table, pd.DataFrame) else table[:, columns]
            if not _same(_half(transformer.transform(part)), transformer.transform(_half(part))):
                return f"{inner!r} in {name!r}"
        except Exception:
            return f"{inner!r} in {name!r}"
    return None


def _half(table: Any) -> Any:
    rows = max(1, table.shape[0] // 2)
    return table.iloc[:rows].reset_index(drop=True) if hasattr(table, "iloc") else table[:rows]


def _same(first: Any, second: Any) -> bool:
    one, other = _dense(first), _dense(second)
    answers: tuple[Answers, Answers] = ({"transform": one}, {"transform": other})
    return one.shape == other.shape and is_rounding(*answers)


def _dense(values: Any) -> Any:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)
