"""The rehearsal: what it finds, what it refuses and why, and the golden sample that workers check."""

import hashlib
import io
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from registering import FEW_ALONE
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, scale

from rowcast.errors import ModelRefused, Unprocessable
from rowcast.models.model_manifest import Draft, Golden
from rowcast.scoring.golden_sample import GoldenSample
from training.add_model import add
from training.add_options import AddOptions
from training.rehearsal.checks.single_rows import SingleRows, in_time, rows_alone
from training.rehearsal.golden_rows import GAP_ROWS
from worker.model_cache import ModelCache

ROWS = 120


@pytest.fixture
def register(registry, tmp_path):
    """Registers an estimator with a frame as its sample; returns the manifest and what was said.

    Few single rows are predicted, except by the tests of those.
    """

    def run(estimator, sample, **options):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(estimator))
        sample.to_csv(tmp_path / "sample.csv", index=False)
        said = []
        file, data = tmp_path / "model.pkl", tmp_path / "sample.csv"
        manifest = add(file, "m", registry, data, AddOptions(**{"alone": FEW_ALONE, **options}), say=said.append)
        return manifest, said

    return run


def plans():
    rng = np.random.default_rng(7)
    return pd.DataFrame({"plan": rng.integers(1, 5, ROWS), "age": rng.integers(18, 90, ROWS)})


def texts_of_plans(frame, target, estimator=None):
    as_text = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "str"}, feature_names_out="one-to-one")
    encode = make_pipeline(as_text, OneHotEncoder(handle_unknown="ignore", sparse_output=estimator is None))
    columns = ColumnTransformer([("plan", encode, ["plan"]), ("age", "passthrough", ["age"])])
    return make_pipeline(columns, estimator or LogisticRegression(max_iter=2000)).fit(frame, target)


def test_whole_numbers_stay_whole_only_for_a_model_that_tells_them_apart(register):
    sample = plans()
    target = (sample["plan"] == 3).astype(int)
    manifest, said = register(texts_of_plans(sample, target), sample)
    assert [one.kind for one in manifest.features] == ["integer", "number"]
    assert [one.missing for one in manifest.features] == [False, False]
    assert any("'plan' takes only whole numbers" in sentence for sentence in said)
    manifest, _ = register(LogisticRegression(max_iter=2000).fit(sample, target), sample)
    assert [one.kind for one in manifest.features] == ["number", "number"]


def test_a_column_that_pandas_may_read_as_another_type_is_named(register, registry):
    sample = plans().astype("object")
    sample["plan"] = sample["plan"].mask(sample.index % 7 == 0)  # whole numbers in the file, floats for pandas
    model = texts_of_plans(sample.astype("float64"), (sample["plan"] == 3).astype(int))
    with pytest.raises(Unprocessable, match=r"the column 'plan'.*--kind plan=number or --kind plan=text"):
        register(model, sample)
    assert registry.names() == []
    manifest, _ = register(model, sample, kinds={"plan": "number"})
    assert manifest.features[0].kind == "number"


def test_neighbours_by_brute_force_are_not_blamed_for_a_column_that_becomes_text(register):
    sample = plans().astype("object")
    sample["plan"] = sample["plan"].mask(sample.index % 7 == 0)
    brute = KNeighborsClassifier(1, algorithm="brute")
    model = texts_of_plans(sample.astype("float64"), (sample["plan"] == 3).astype(int), brute)
    with pytest.raises(Unprocessable, match=r"the column 'plan'.*--kind plan=number"):
        register(model, sample)


@pytest.mark.parametrize("unknown", ["ignore", "error"])
def test_unseen_values_are_tried_for_each_category_by_itself(register, unknown):
    sample = pd.DataFrame({name: np.random.default_rng(7).choice(list("xyz"), ROWS) for name in "abc"}).astype("str")
    sample.loc[::5, :] = ""
    frame = sample.mask(sample == "").astype("category")
    lenient = OneHotEncoder(categories=[list("xyz")] * 2, handle_unknown="ignore")
    strict = OneHotEncoder(handle_unknown=unknown)  # an unseen value is not its column for missing values
    columns = ColumnTransformer([("lenient", lenient, ["a", "c"]), ("strict", strict, ["b"])])
    model = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(ROWS) % 2)
    manifest, _ = register(model, sample, kinds=dict.fromkeys("abc", "category"))
    assert [one.unseen for one in manifest.features] == ["missing", "kept" if unknown == "ignore" else "bad", "missing"]


def test_a_step_that_looks_at_the_whole_batch_is_named(register, registry):
    sample = plans()
    model = make_pipeline(FunctionTransformer(scale), LinearRegression()).fit(sample, sample["age"])
    with pytest.raises(Unprocessable, match=r"Batch-dependent step: .*'functiontransformer'"):
        register(model, sample)
    inner = ColumnTransformer([("scaled", FunctionTransformer(scale), ["age"]), ("plan", "passthrough", ["plan"])])
    with pytest.raises(Unprocessable, match="'scaled' in 'columntransformer'"):
        register(make_pipeline(inner, LinearRegression()).fit(sample, sample["age"]), sample)
    assert registry.names() == []


def test_neighbours_by_brute_force_are_refused_with_what_to_use_instead(register):
    rng = np.random.default_rng(1)
    grid = rng.integers(0, 4, (700, 9)) * 0.1 + rng.integers(0, 2, (700, 9)) * 1e3
    sample = pd.DataFrame(grid, columns=list("abcdefghi"))
    target = rng.normal(size=700)
    model = KNeighborsRegressor(5, algorithm="brute", weights="distance").fit(sample, target)
    with pytest.raises(Unprocessable, match=r"Batch-dependent step: .*algorithm='kd_tree'"):
        register(model, sample + 0.01)
    model = KNeighborsRegressor(5, algorithm="kd_tree", weights="distance").fit(sample, target)
    assert register(model, sample + 0.01)[0].task == "regression"


def test_a_step_that_fills_gaps_from_the_rows_before_is_refused(register):
    rng = np.random.default_rng(0)
    sample = pd.DataFrame({"a": rng.normal(size=2000).round(3), "b": rng.normal(size=2000).round(3)})
    target = sample["a"] * 2
    sample["a"] = sample["a"].mask(rng.random(2000) < 0.01)
    fill = FunctionTransformer(pd.DataFrame.ffill)
    model = make_pipeline(fill, HistGradientBoostingRegressor(max_iter=20)).fit(sample, target)
    with pytest.raises(Unprocessable, match="Batch-dependent step"):
        register(model, sample)


def test_a_sample_of_one_row_is_too_short_to_see_what_depends_on_its_neighbours(register):
    model = make_pipeline(FunctionTransformer(scale), LinearRegression()).fit(plans(), plans()["age"])
    with pytest.raises(Unprocessable, match="The sample has one row"):
        register(model, plans().head(1))


def test_columns_that_the_model_drops_are_optional(register):
    sample = plans().assign(id=range(ROWS))
    model = make_pipeline(ColumnTransformer([("age", "passthrough", ["age"])]), LinearRegression())
    manifest, said = register(model.fit(sample, sample["age"]), sample)
    assert manifest.required_names == ["age"]
    assert any("does not use 'id', 'plan'" in sentence for sentence in said)


def test_the_cells_that_mean_missing_are_kept_and_said(register):
    sample = plans().astype("object")
    sample.loc[0, "age"], sample.loc[1, "age"], sample.loc[2, "age"] = "NA", "-", ""
    model = HistGradientBoostingClassifier(max_iter=3).fit(plans(), plans()["plan"])
    manifest, said = register(model, sample, na_values=["-"])
    assert {"", "NA", "-"} <= set(manifest.na_values)
    assert "These cells count as missing values, as in pandas: '-', 'NA'." in said


def test_yes_and_no_are_booleans_if_they_are_named_so(register):
    sample = plans().assign(smoker=np.where(np.arange(ROWS) % 3 == 0, "yes", "no"))
    trained = sample.assign(smoker=sample["smoker"] == "yes")
    model = HistGradientBoostingClassifier(max_iter=3).fit(trained, trained["smoker"])
    manifest, _ = register(model, sample, kinds={"smoker": "boolean"})
    smoker = manifest.features[2]
    assert (smoker.kind, smoker.true_values, smoker.false_values) == ("boolean", ["yes"], ["no"])


def test_a_worker_refuses_a_model_that_predicts_otherwise_in_one_bit(register, registry):
    sample = plans()
    manifest, _ = register(LinearRegression().fit(sample, sample["age"] * 1.1), sample)
    document = registry.golden_bytes(manifest)
    golden = GoldenSample.model_validate_json(document)
    assert manifest.golden.rows == golden.rows.count("\n") == 50
    assert ModelCache(registry, "strict").get("m", "1").manifest == manifest
    value = golden.result.split("\n")[0]
    nudged = repr(float(np.nextafter(float(value), np.inf)))
    changed = golden.model_copy(update={"result": golden.result.replace(value, nudged, 1)}).model_dump_json().encode()
    digest = Golden(rows=50, sha256=hashlib.sha256(changed).hexdigest())
    draft = Draft(**{name: getattr(manifest, name) for name in Draft.model_fields} | {"golden": digest})
    again = registry.register("m", registry.model_bytes(manifest), draft, changed)
    with pytest.raises(ModelRefused, match=f"row 1 of its golden sample it now gives {value}; it gave") as refused:
        ModelCache(registry, "strict").get("m", again.version)
    assert "ROWCAST_MODEL_VERSIONS=warn" in refused.value.detail
    assert ModelCache(registry, "warn").get("m", again.version).manifest == again


def test_a_golden_sample_that_was_tampered_with_is_refused(register, registry):
    sample = plans()
    manifest, _ = register(LinearRegression().fit(sample, sample["age"]), sample)
    golden = json.loads(registry.golden_bytes(manifest))
    registry.storage.put("m/1/golden.json", json.dumps({**golden, "rows": "1,2\n"}).encode())
    with pytest.raises(ModelRefused, match="SHA-256 differs"):
        ModelCache(registry, "strict").get("m", "1")


def golden_cells(registry, manifest):
    golden = GoldenSample.model_validate_json(registry.golden_bytes(manifest))
    cells = pd.read_csv(io.StringIO(golden.rows), header=None, names=golden.columns)
    return cells, golden.result.splitlines()


def test_the_golden_sample_misses_every_optional_feature_and_never_all_of_many(register, registry):
    rng = np.random.default_rng(3)
    sample = pd.DataFrame(rng.normal(size=(90, 130)).round(3), columns=[f"f{number}" for number in range(130)])
    model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5).fit(sample, sample["f0"])
    cells, predictions = golden_cells(registry, register(model, sample)[0])
    missing = cells.isna()
    assert missing.any(axis=0).all()
    assert missing.sum(axis=1).max() == 4
    assert missing.any(axis=1).sum() == GAP_ROWS
    assert len(cells) <= 90
    assert len(predictions) == len(cells)
    assert all(predictions)


def test_of_few_optional_features_each_is_missing_in_a_row_of_the_golden_sample(register, registry):
    sample = plans().assign(score=np.linspace(0, 1, ROWS))
    model = HistGradientBoostingClassifier(max_iter=3).fit(sample, sample["plan"])
    cells, predictions = golden_cells(registry, register(model, sample)[0])
    assert cells.isna().sum(axis=1).tolist()[-3:] == [1, 1, 1]
    assert cells.isna().any(axis=0).all()
    assert {row.split(",")[0] for row in predictions} == {"1", "2", "3", "4"}


def codes_in_order(frame):
    """Returns numbers the texts by what else stands in the batch, which shows for the rare one only."""
    return frame.assign(town=frame["town"].astype("category").cat.codes.where(frame["town"] != "Aix", 0) > 1)


def test_each_value_of_a_column_is_predicted_alone(register):
    towns = np.where(np.arange(ROWS * 10) == 777, "Zug", np.where(np.arange(ROWS * 10) % 2 == 0, "Aix", "Bern"))
    sample = pd.DataFrame({"town": towns, "size": np.arange(ROWS * 10) % 7})
    model = make_pipeline(FunctionTransformer(codes_in_order), LinearRegression()).fit(sample, np.arange(ROWS * 10))
    with pytest.raises(Unprocessable, match=r"Batch-dependent step: .*row 778 of the sample"):
        register(model, sample, alone=SingleRows(seconds=0))


def test_every_row_is_predicted_alone_if_there_is_time():
    frame = pd.DataFrame({"a": np.arange(100.0), "b": ["x", "y"] * 50})
    frame.loc[41, "a"] = np.nan
    order = rows_alone(frame, np.arange(100) % 3)
    assert sorted(order) == list(range(100))
    assert 41 in order[:5]
    assert list(in_time(order, 0, 32)) == order[:32]
    assert list(in_time(order, 3600, 32)) == order
