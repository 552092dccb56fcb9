"""The page about a model in production keeps its word, for a model from a notebook, from XGBoost and from MLflow."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pandas
import pytest
from mlflow_server import mlflow_server, run_with_mlflow
from programs import ROOT, Stack, until

PAGE = (ROOT / "docs" / "production.md").read_text()
STEPS = ("register {}", "serve", "predict", "watch", "replace {}", "promote", "back")


def block(mark: str) -> str:
    """Returns the block of the page below `<!-- mark -->`."""
    (found,) = re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def follow(kind: str, folder: Path, stack: Stack, **more: str) -> None:
    """Does what the page says, and looks at what it promises."""
    tool = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    places = {"ROWCAST_URL": stack.url, "ROWCAST_MODELS": str(stack.models), "ROWCAST_REDIS_URL": stack.redis_url}
    environment = {**os.environ, "PATH": tool, **places, **more}
    for step in STEPS:
        # other tests' models are in the same registry
        script = re.sub(r"(?<!models:/)survival", f"survival_{kind}", block(step.format(kind)))
        done = subprocess.run(
            ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (step, done.stdout, done.stderr)
        if step == "promote":
            assert alias(stack, kind)["version"] == "2"
    until(lambda: alias(stack, kind)["version"] == "1", "the gateway sees within a second that it was rolled back")


def alias(stack: Stack, kind: str) -> dict:
    return httpx.get(f"{stack.url}/models/survival_{kind}/aliases/production").json()


def explained(folder: Path) -> pandas.DataFrame:
    return pandas.read_csv(folder / "predictions.csv")


@pytest.mark.parametrize("kind", ["notebook", pytest.param("xgboost", marks=pytest.mark.soak)])
def test_a_model_of_ones_own(kind: str, stack: Stack, tmp_path: Path) -> None:
    shutil.copy(ROOT / "training" / "data" / "titanic.csv", tmp_path / "passengers.csv")
    subprocess.run([sys.executable, "-c", block(kind)], cwd=tmp_path, check=True)
    follow(kind, tmp_path, stack)
    known = explained(tmp_path)[["age", "pclass", "parch"]]
    if kind == "notebook":
        predicted = pandas.read_pickle(tmp_path / "first.pkl").predict(known)
    else:
        from xgboost import XGBClassifier

        model = XGBClassifier()
        model.load_model(tmp_path / "first.ubj")
        predicted = model.predict(known)
    assert explained(tmp_path)["prediction"].tolist() == predicted.tolist()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_model_from_mlflow(stack: Stack, tmp_path: Path) -> None:
    shutil.copy(ROOT / "training" / "data" / "titanic.csv", tmp_path / "passengers.csv")
    with mlflow_server(tmp_path) as url:
        run_with_mlflow(block("mlflow"), tmp_path, url)
        follow("mlflow", tmp_path, stack, MLFLOW_TRACKING_URI=url)
    assert set(explained(tmp_path)["prediction"]) == {0, 1}
