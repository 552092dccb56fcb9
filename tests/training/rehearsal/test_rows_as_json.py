"""Rows as JSON in the rehearsal: the gateway's check and the worker's table of JSON values, as a caller meets them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from rowcast.errors import Unprocessable
from training.registration import draft
from training.rehearsal.checks.rows_as_json import require_same_as_json
from training.rehearsal.rehearsal import rehearse
from training.sample.sample import Dialect, read_sample

ROWS = 130


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """A rehearsal with a feature of each kind; the model sees whether `plan` is read as 3 or as 3.0."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "plan": rng.integers(1, 5, ROWS),
            "age": np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(40, 9, ROWS)),
            "town": np.where(rng.random(ROWS) < 0.2, None, rng.choice(["Bergen", "Aix, France"], ROWS)),
            "member": rng.random(ROWS) < 0.5,
            "since": pd.date_range("2024-02-27", periods=ROWS).strftime("%d.%m.%Y"),
        }
    )
    path = tmp_path_factory.mktemp("json") / "sample.csv"
    frame.to_csv(path, index=False)
    as_text = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "str"}, feature_names_out="one-to-one")
    days = FunctionTransformer(lambda dates: dates.apply(lambda column: column.dt.day_of_year))
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = make_column_transformer(
        (make_pipeline(as_text, one_hot), ["plan"]),
        (one_hot, ["town", "member"]),
        (days, ["since"]),
        ("passthrough", ["age"]),
    )
    dialect = Dialect(kinds={"since": "date"}, dayfirst=True)
    read = dialect.read(path.read_bytes())
    target = (read["plan"] % 2).astype(int) + 2 * read["member"].astype(int)
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=10)).fit(read, target)
    said = []
    return rehearse(
        model,
        read_sample(path, dialect, list(frame)),
        list(frame),
        lambda **found: draft(model, training={}, **found),
        say=said.append,
    )


def test_rows_of_every_kind_get_as_json_what_they_get_in_the_file(rehearsal):
    kinds = [feature.kind for feature in rehearsal.draft.features]
    assert kinds == ["integer", "number", "text", "boolean", "date"]
    model = rehearsal.model(rehearsal.draft.features, rehearsal.draft.container)
    require_same_as_json(rehearsal, model, range(ROWS))


def test_a_prediction_that_differs_as_json_is_refused_with_both_values(rehearsal):
    plan, *others = rehearsal.draft.features
    as_float = plan.model_copy(update={"kind": "number"})
    model = rehearsal.model([as_float, *others], rehearsal.draft.container)
    with pytest.raises(Unprocessable, match=r"as JSON, in row \d+ of sample.csv `predict` gives \d in your script and"):
        require_same_as_json(rehearsal, model, range(ROWS))


def test_a_row_that_the_gateway_would_refuse_is_refused_at_registration(rehearsal):
    plan, age, *others = rehearsal.draft.features
    full = age.model_copy(update={"missing": False})
    model = rehearsal.model([plan, full, *others], rehearsal.draft.container)
    with pytest.raises(Unprocessable, match=r"sent as JSON, .* features.age missing, and the model does not accept"):
        require_same_as_json(rehearsal, model, range(ROWS))
