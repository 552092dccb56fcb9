"""A model whose step looks at the whole batch is refused, as no cut of a file could give what the script gives."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, fit, register, write_csv
from feature_kinds import KINDS, column
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, scale

from rowcast.errors import RowcastError

NUMBERS = {
    "scaled by the batch": users_code.batch_scaled,
    "scale()": scale,
    "filled with the batch's mean": users_code.batch_filled,
    "ranks": users_code.ranks,
    "filled from the row above": users_code.filled_from_above,
    "differences to the row above": users_code.differences,
    "row numbers": users_code.row_numbers,
}

TEXTS = {"codes of the batch's categories": users_code.users_codes, "dummies of the batch": pd.get_dummies}


@pytest.mark.parametrize("name", [*NUMBERS, *TEXTS])
def test_a_step_that_looks_at_the_batch_is_refused(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(1)
    kind = KINDS["float" if name in NUMBERS else "text"]
    sample = write_csv(tmp_path / "sample.csv", {one: column(kind, "", random, 200) for one in ("a", "b")})
    rows, step = pd.read_csv(sample), FunctionTransformer((NUMBERS | TEXTS)[name])
    model = fit(make_pipeline(step, users_code.Checksum()), rows, random.normal(size=200))
    with pytest.raises(RowcastError, match=r"batch|rows"):
        register(tmp_path, model, sample, Reading())
