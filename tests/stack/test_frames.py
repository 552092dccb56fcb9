"""`client.predict_frame`: what the model itself gives for the frame, whatever the types of its columns."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from metrics import samples, total
from programs import Stack, http_client, until
from registering import FEW_ALONE
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import rowcast
from rowcast import Client
from rowcast.client import JobFailed, NotFound, Unprocessable
from rowcast.models.model_manifest import Draft
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions

ROWS = 400
TOWNS = ["Bergen", "Aix, France", 'the "Hague"', " edge ", "line\rend"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Rows of many types, with an index that is neither sorted nor numeric."""
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "unused": [object() for _ in range(ROWS)],
            "amount": random.normal(size=ROWS) * 10.0 ** random.integers(-12, 12, ROWS),
            "single": random.normal(size=ROWS).astype("float32"),
            "count": random.integers(-5, 5, ROWS),
            "gaps": pd.array(np.where(random.random(ROWS) < 0.2, None, random.integers(0, 9, ROWS)), dtype="Int64"),
            "member": random.random(ROWS) < 0.5,
            "town": pd.Categorical(random.choice(TOWNS, ROWS)),
        },
        index=[f"row {number}" for number in random.permutation(ROWS)],
    )


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame, stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """Registers a regressor that looks at every feature, as `frames`."""
    folder = tmp_path_factory.mktemp("frames")
    sample = frame.drop(columns="unused")[frame["town"] != TOWNS[-1]]
    sample.to_csv(folder / "sample.csv", index=False, lineterminator="\r\n")
    read = pd.read_csv(folder / "sample.csv")
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town", "member"]), remainder="passthrough"
    )
    target = read["amount"].rank() + read["count"] + read["single"] + read["gaps"].fillna(20) + read["member"]
    fitted = make_pipeline(encode, HistGradientBoostingRegressor(max_iter=20)).fit(read, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(fitted))
    add(folder / "model.pkl", "frames", Registry(Storage(str(stack.models))), folder / "sample.csv")
    return fitted


@pytest.fixture
def client(stack: Stack):
    with Client(stack.url) as client:
        yield client


def test_a_frame_of_many_types_gets_the_predictions_of_the_model_itself(client, model, frame: pd.DataFrame) -> None:
    before = frame.copy()
    done = client.predict_frame(frame, model="frames", prediction_column="guess")
    wanted = model.predict(frame.astype({"gaps": "float64"}))
    np.testing.assert_array_equal(done["guess"].to_numpy(), wanted)
    assert done.index.equals(frame.index)
    assert list(done.columns) == [*frame.columns, "guess"]
    pd.testing.assert_frame_equal(frame, before)
    assert client.predict(frame.iloc[7], model="frames").prediction == wanted[7]  # with what the model does not need
    with pytest.raises(Unprocessable, match="missing"):
        client.predict(frame.drop(columns=["town", "unused"]).assign(more=1).iloc[7], model="frames")
    with pytest.raises(Unprocessable, match="unknown"):  # a mapping has no further names
        client.predict({"age": 25, "pclass": 3, "cabin": "C"})


def test_without_a_service_a_frame_gets_the_same_columns(
    stack: Stack, client: Client, model, frame: pd.DataFrame
) -> None:
    done = rowcast.score(frame, "frames", models=stack.models)
    pd.testing.assert_frame_equal(done, client.predict_frame(frame, model="frames"), check_exact=True)
    ages = pd.DataFrame({"age": ["25", None, "x", "2.5"], "pclass": [3, 1, 2, 1]})
    add_twin(stack)
    for options in (
        {"model": "titanic", "probabilities": True, "top": 1},
        {"model": "titanic", "threshold": 0.3, "on_error": "column"},
        {"model": "titanic,twin", "columns": {"probability_twin_1": "share", "prediction_titanic": "label"}},
    ):
        with pytest.warns(UserWarning, match="1 of 4 rows could not be predicted"):
            wanted = client.predict_frame(ages, **options)
        with pytest.warns(UserWarning, match="1 of 4 rows could not be predicted"):
            pd.testing.assert_frame_equal(rowcast.score(ages, models=stack.models, **options), wanted, check_exact=True)


def add_twin(stack: Stack) -> None:
    """Registers the model `titanic` as `twin`, too."""
    registry = Registry(Storage(str(stack.models)))
    manifest = registry.resolve("titanic")
    draft = Draft(**{name: getattr(manifest, name) for name in Draft.model_fields} | {"profile": None})
    registry.register("twin", registry.model_bytes(manifest), draft, registry.golden_bytes(manifest))


def test_a_polars_frame_gets_the_same_predictions(client: Client, model, frame: pd.DataFrame) -> None:
    rows = frame.drop(columns="unused")
    table = pl.DataFrame(
        {
            **{name: rows[name].to_numpy() for name in ("amount", "single", "count", "member")},
            "gaps": pl.Series([None if value is pd.NA else int(value) for value in rows["gaps"]], dtype=pl.Int8),
            "town": pl.Series(rows["town"].tolist(), dtype=pl.Categorical),
            "lists": [[1, 2]] * len(rows),
        }
    )
    done = client.predict_frame(table, model="frames", prediction_column="guess")
    np.testing.assert_array_equal(done["guess"].to_numpy(), client.predict_frame(frame, model="frames")["prediction"])
    assert done.drop("guess").equals(table)
    with pytest.raises(Unprocessable, match="'town' is missing"):
        client.predict_frame(table.drop("town"), model="frames")


def test_scores_are_what_decision_function_gives(client: Client, stack: Stack, tmp_path: Path) -> None:
    sample = pd.DataFrame({"a": np.arange(90) / 7, "b": np.arange(90) % 5})
    sample.to_csv(tmp_path / "s.csv", index=False)
    fitted = HistGradientBoostingClassifier(max_iter=5).fit(sample, np.array(["x", "y", "z"])[np.arange(90) // 30])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    add(tmp_path / "m.pkl", "scored", Registry(Storage(str(stack.models))), tmp_path / "s.csv")
    wanted = fitted.decision_function(sample)
    done = client.predict_frame(sample, model="scored", scores=True)
    np.testing.assert_array_equal(done[["score_x", "score_y", "score_z"]].to_numpy(), wanted)
    one = client.predict(sample.iloc[50], model="scored", scores=True)
    assert one.scores == dict(zip(["score_x", "score_y", "score_z"], wanted[50].tolist(), strict=True))
    assert client.predict(sample.iloc[50], model="scored").scores is None
    row = client.job(one.job).to_pandas()
    assert row.columns.tolist() == ["prediction", "score_x", "score_y", "score_z"]


def test_classes_come_back_as_they_are_and_probabilities_exactly(client, stack: Stack, tmp_path: Path) -> None:
    sample = pd.DataFrame({"a": [0.1, 0.2, 0.3, 0.4] * 10, "b": [1.5, 2.5, 3.5, 4.5] * 10})
    sample.to_csv(tmp_path / "s.csv", index=False)
    fitted = DecisionTreeClassifier(max_depth=1).fit(sample, ["007", "008", "NA", "NA"] * 10)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    add(tmp_path / "m.pkl", "agents", Registry(Storage(str(stack.models))), tmp_path / "s.csv")
    frame = sample.set_index(pd.MultiIndex.from_product([range(10), list("wxyz")]))
    done = client.predict_frame(frame, model="agents@1", probabilities=True)
    assert done["prediction"].tolist() == fitted.predict(sample).tolist()
    names = [f"probability_{label}" for label in fitted.classes_]
    np.testing.assert_array_equal(done[names].to_numpy(), fitted.predict_proba(sample))
    assert done.index.equals(frame.index)


def test_rows_that_cannot_be_predicted_are_missing_and_a_warning_says_so(client: Client) -> None:
    frame = pd.DataFrame({"age": [25.0, None, 30.0], "pclass": ["3", "second", "1"]})
    with pytest.warns(UserWarning, match=r"1 of 3 rows could not be predicted; client\.job\("):
        done = client.predict_frame(frame, probabilities=True)
    assert done["prediction"].dtype == "Int64"
    assert done["prediction"].isna().tolist() == [False, True, False]
    assert done["probability_0"].isna().tolist() == [False, True, False]
    with pytest.raises(JobFailed, match="row 2, column pclass: not a number"):
        client.predict_frame(frame, on_error="fail")
    with pytest.warns(UserWarning, match="1 of 3 rows could not be predicted"):
        done = client.predict_frame(pl.DataFrame({"age": [25.0, None, 30.0], "pclass": ["3", "second", "1"]}))
    assert (done.schema["prediction"], done["prediction"].is_null().to_list()) == (pl.Int64, [False, True, False])


def test_the_model_may_be_named_by_an_alias_and_a_wrong_one_is_told(client: Client) -> None:
    frame = pd.DataFrame({"age": [25], "pclass": [3]})
    assert client.predict_frame(frame, model="titanic@production")["prediction"].tolist() == [0]
    for name in ("titanik", "titanic@9", "titanic@staging"):
        with pytest.raises(NotFound):
            client.predict_frame(frame, model=name)


def test_dates_are_sent_as_the_model_reads_them(client: Client, stack: Stack, tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2026-01-01", periods=60, freq="31h", unit="s"))
    days.to_frame("day").to_csv(tmp_path / "s.csv", index=False)
    read = pd.read_csv(tmp_path / "s.csv", parse_dates=["day"])
    as_numbers = FunctionTransformer(np.asarray, kw_args={"dtype": "int64"})
    fitted = make_pipeline(as_numbers, DecisionTreeClassifier()).fit(read, days.dt.day_of_week > 4)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    add(
        tmp_path / "m.pkl",
        "weekend",
        Registry(Storage(str(stack.models))),
        tmp_path / "s.csv",
        AddOptions(parse_dates=["day"], alone=FEW_ALONE),
    )
    done = client.predict_frame(read, model="weekend")
    assert done["prediction"].dtype == bool
    assert done["prediction"].tolist() == fitted.predict(read).tolist()
    days_of_polars = pl.DataFrame({"day": read["day"].tolist()})
    assert client.predict_frame(days_of_polars, model="weekend")["prediction"].to_list() == done["prediction"].tolist()


def test_ctrl_c_says_how_to_get_the_predictions_of_the_frame(gateway: Stack) -> None:
    script = "import pandas, rowcast; rowcast.Client().predict_frame(pandas.DataFrame({'age': [25], 'pclass': [3]}))"
    environment = {**os.environ, "ROWCAST_URL": gateway.url}
    with Client(gateway.url) as client, http_client(gateway.url) as http:
        before = {job.id for job in client.jobs()}
        process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        until(lambda: len({job.id for job in client.jobs()} - before) == 1, "the frame is sent")
        open_requests = "rowcast_http_requests_in_progress"
        until(lambda: total(samples(http, "/metrics"), open_requests) > 1, "the script waits for the job")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        (id,) = {job.id for job in client.jobs()} - before
        client.job(id).delete()
    assert f"The job goes on in the service: client.job('{id}').wait().to_pandas()" in said.decode()
