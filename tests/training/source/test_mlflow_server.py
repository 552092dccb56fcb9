"""Models are registered from MLflow's own server, and from the folders that MLflow writes."""

import http.server
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from mlflow_server import mlflow_server, run_with_mlflow
from registering import FEW_ALONE

from rowcast.errors import Forbidden, NotFound, RowcastError, Unprocessable
from rowcast.models.loading.load import load
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import NO_OPTIONS, AddOptions
from training.source.mlflow_reference import MlflowAccess, parse_reference
from training.source.mlflow_server import MlflowServer

# Making MLflow's environment, and starting its server, takes as long as many other tests together.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

STEPS = """
from sklearn.base import BaseEstimator, TransformerMixin


class Sums(TransformerMixin, BaseEstimator):
    def fit(self, table, target=None):
        self.feature_names_in_ = table.columns.to_numpy()
        return self

    def transform(self, table):
        return table.assign(sum=table["a"] + table["b"])
"""

NOTEBOOK = """
import json, pickle, warnings
warnings.simplefilter("ignore")
import lightgbm, mlflow, mlflow.lightgbm, mlflow.sklearn, mlflow.xgboost, pandas, xgboost
from mlflow.models import infer_signature
from mysteps import Sums
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

rows = [(n % 11 + 0.5, n % 7, f"{n % 3:03}", n % 2) for n in range(60)]
table = pandas.DataFrame(rows, columns=["a", "b", "zone", "y"])
table.to_csv("table.csv", index=False)

columns, target = table[["a", "b"]], table["y"]
trees = GradientBoostingClassifier(n_estimators=3).fit(columns, target)

boosting = xgboost.XGBClassifier(n_estimators=3).fit(columns, target)
light = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(columns, target.map({0: "no", 1: "yes"}))

own = make_pipeline(Sums(), LogisticRegression()).fit(columns, target)
models = {"trees": trees, "boosting": boosting, "light": light, "own": own}

pickle.dump({name: model.predict(columns).tolist() for name, model in models.items()}, open("predicted", "wb"))

from sklearn.preprocessing import OneHotEncoder
zones = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table[["zone"]], target)

fixed = {"name": "model", "pip_requirements": []}
made = {}
with mlflow.start_run() as run:
    one = mlflow.sklearn.log_model(trees, input_example=columns.head(30), registered_model_name="trees",
        skops_trusted_types=["sklearn.tree._tree.Tree", "numpy.dtype"], **fixed)
    mlflow.sklearn.log_model(trees, serialization_format="cloudpickle", registered_model_name="trees", **fixed)

    mlflow.xgboost.log_model(boosting, registered_model_name="boosting", **fixed)
    mlflow.lightgbm.log_model(light, registered_model_name="light", **fixed)
    mlflow.lightgbm.log_model(light.booster_, registered_model_name="booster", **fixed)

    mlflow.sklearn.log_model(own, serialization_format="cloudpickle", code_paths=["mysteps.py"],
        registered_model_name="own", **fixed)

    mlflow.sklearn.log_model(zones, serialization_format="cloudpickle", registered_model_name="zones",
        input_example=table[["zone"]].head(30), **fixed)

    mlflow.pyfunc.log_model(python_model=lambda model_input: model_input, registered_model_name="function", **fixed)
mlflow.MlflowClient().set_registered_model_alias("trees", "champion", 1)
print(json.dumps({"run": run.info.run_id}))
"""


class Served:
    """What the server has, and how its models predict."""

    def __init__(self, folder: Path, url: str, run: str) -> None:
        self.folder, self.url, self.run = folder, url, run
        self.predicted = pickle.loads((folder / "predicted").read_bytes())
        self.table = folder / "table.csv"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with models that a notebook has logged."""
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "mysteps.py").write_text(STEPS)
    with mlflow_server(folder) as url:
        printed = run_with_mlflow(NOTEBOOK, folder, url)
        yield Served(folder, url, json.loads(printed.splitlines()[-1])["run"])


@pytest.fixture(autouse=True)
def address(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.url)


def added(registry: Registry, given: Any, sample: Path | None, options: AddOptions = NO_OPTIONS) -> Any:
    return add(given, "m", registry, sample, AddOptions(alone=FEW_ALONE, classes=options.classes))


@pytest.mark.parametrize(
    ("reference", "name", "format", "classes"),
    [
        ("trees@champion", "trees", "skops", ()),
        ("trees/2", "trees", "pickle", ()),
        ("boosting/1", "boosting", "xgboost", ()),
        ("light/1", "light", "skops", ()),
        ("booster/1", "light", "lightgbm", ("no", "yes")),
        ("own/1", "own", "pickle", ()),
    ],
)
def test_a_model_of_the_server_is_registered_and_predicts_the_same(
    registry: Registry, served: Served, reference: str, name: str, format: str, classes: tuple[str, ...]
) -> None:
    manifest = added(registry, f"mlflow:models:/{reference}", served.table, AddOptions(classes=classes))
    assert manifest.feature_names == ["a", "b"]
    facts = manifest.training
    assert facts["format"] == format
    assert facts["mlflow_reference"] == f"models:/{reference}"
    assert (facts["mlflow_server"], facts["mlflow_run_id"]) == (served.url, served.run)
    assert f"{facts['mlflow_model']}/{facts['mlflow_version']}" == reference.replace("@champion", "/1")
    model = load(registry, manifest, "strict")
    with model.code.active():
        predicted = model.estimator.predict(pd.read_csv(served.table)[["a", "b"]])
    assert predicted.tolist() == served.predicted[name]
    assert [one.path for one in manifest.code] == (["mysteps.py"] if name == "own" else [])


def test_the_example_of_a_model_is_its_sample(registry: Registry) -> None:
    manifest = added(registry, "mlflow:models:/trees@champion", None)
    assert manifest.training["features_from"] == "input_example.csv"
    assert manifest.golden is not None
    manifest = added(registry, "mlflow:models:/zones/1", None)
    assert [(one.name, one.kind) for one in manifest.features] == [("zone", "text")]


def test_a_folder_that_mlflow_wrote_is_registered(registry: Registry, served: Served) -> None:
    folders = [file.parent for file in served.folder.glob("artifacts/**/MLmodel") if "mysteps" in _listing(file)]
    manifest = added(registry, folders[0], served.table)
    assert manifest.training["mlflow_run_id"] == served.run
    assert [one.path for one in manifest.code] == ["mysteps.py"]


def _listing(file: Path) -> str:
    return " ".join(path.name for path in file.parent.rglob("*"))


@pytest.mark.parametrize(
    ("reference", "error", "sentence"),
    [
        ("trees@missing", NotFound, "has no models:/trees@missing: Registered model alias missing not found."),
        ("nothing/1", NotFound, "has no models:/nothing/1"),
        ("trees/99", NotFound, "has no models:/trees/99"),
        ("function/1", Unprocessable, "has the flavours only python_function, and Rowcast reads sklearn, xgboost"),
        ("boosting/1", Unprocessable, "The MLflow model has no example of a DataFrame: name a CSV file"),
        ("light/1", Unprocessable, "--features-from data.csv"),
    ],
)
def test_what_the_server_lacks_is_said(
    registry: Registry, reference: str, error: type[RowcastError], sentence: str
) -> None:
    with pytest.raises(error) as raised:
        added(registry, f"mlflow:models:/{reference}", None)
    assert sentence in raised.value.detail
    assert registry.names() == []


def test_a_model_that_is_too_large_is_not_fetched(served: Served, tmp_path: Path) -> None:
    with (
        MlflowServer(MlflowAccess(served.url), max_model_bytes=500) as server,
        pytest.raises(Unprocessable, match=r"has over 500 bytes in model\.skops, which is more than Rowcast fetches"),
    ):
        server.fetch(parse_reference("mlflow:models:/trees@champion"), tmp_path)


TOKEN = "a-secret"


class Guard(http.server.BaseHTTPRequestHandler):
    """A proxy that lets requests with the token, or with the password, pass to the server."""

    target = ""

    def do_GET(self) -> None:
        allowed = (f"Bearer {TOKEN}", "Basic bWU6YS1zZWNyZXQ=")
        if self.headers["Authorization"] not in allowed:
            return self.answer(401, b"who are you?")
        answer = httpx.get(f"{self.target}{self.path}", headers={"Accept-Encoding": "identity"})
        return self.answer(answer.status_code, answer.content)

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def test_the_server_is_told_who_asks(registry: Registry, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = type("Guard", (Guard,), {"target": served.url})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), guard) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{proxy.server_port}")
        with pytest.raises(Forbidden, match=r"answered 401 \(.*\): set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USER"):
            added(registry, "mlflow:models:/trees@champion", None)
        assert registry.names() == []
        with monkeypatch.context() as named:
            named.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
            assert added(registry, "mlflow:models:/trees@champion", None).version == "1"
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", TOKEN)
        assert added(registry, "mlflow:models:/trees@champion", None).version == "2"
        proxy.shutdown()
    stored = Storage(registry.storage.location)
    assert not [key for key, _ in stored.entries("") if TOKEN.encode() in stored.get(key)]
