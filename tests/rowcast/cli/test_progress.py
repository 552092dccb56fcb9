"""What a terminal shows, on a real pseudo-terminal."""

import os
import pickle
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from fake_service import FakeService
from programs import ROOT
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.rehearsal.checks.missing_values import FILE_ROWS


def test_a_narrow_terminal_cuts_no_id(service: FakeService) -> None:
    ids = [service.job()["id"] for _ in range(2)]
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "rowcast.cli", "jobs"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "30"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=follower)
    os.close(follower)
    with os.fdopen(leader, "rb") as terminal:
        shown = terminal.read1(65536).decode()
    for id in ids:
        assert f"\n{id} queued titanic@1 40,000" in shown


def on_terminal(*words: str | Path, out: Path) -> tuple[int, str]:
    """Runs a command whose standard error is a terminal; returns its exit code and what the terminal was sent."""
    leader, follower = pty.openpty()
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "rowcast.cli", *words],
            stdout=file,
            stderr=follower,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"},
        )
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 65536):
            shown += block
    except OSError:  # Linux' word for the other end being closed
        pass
    os.close(leader)
    return process.wait(), shown.decode()


def test_a_terminal_sees_a_bar_for_each_step_and_the_result_stays_clean(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"age,pclass\n25,3\n")
    code, shown = on_terminal("predict", tmp_path / "in.csv", out=tmp_path / "out.csv")
    assert code == 0
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert "Uploading" in shown
    assert "40,000 of 40,000 rows" in shown
    assert "Downloading" in shown


def test_a_model_of_more_features_than_one_file_tries_is_registered_with_a_bar(tmp_path: Path) -> None:
    count = FILE_ROWS + 1
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(12, count)).round(3)).add_prefix("f")
    table.to_csv(tmp_path / "sample.csv", index=False)
    model = make_pipeline(SimpleImputer(), GaussianNB()).fit(table, table["f0"] > 0)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    words = ["models", "add", tmp_path / "model.pkl", "--name", "wide", "--features-from", tmp_path / "sample.csv"]
    code, shown = on_terminal(*words, "--models", tmp_path / "models", out=tmp_path / "out")
    assert (code, (tmp_path / "out").read_text()) == (0, "wide@1\n"), shown
    assert "Rows with a missing value" in shown
    assert "Registered wide@1 in" in shown.splitlines()[-1]
    manifest = Registry(Storage(str(tmp_path / "models"))).resolve("wide")
    assert len(manifest.features) == count
    assert all(feature.missing for feature in manifest.features), "each was tried without its value"


def test_a_search_is_a_bar_on_a_terminal(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("x,z,y\n" + "".join(f"{row % 7},{row % 5},{int(row % 7 + row % 5 > 5)}\n" for row in range(80)))
    words = ["train", "--data", data, "--target", "y", "--name", "m", "--models", tmp_path / "models", "--search"]
    code, shown = on_terminal(*words, "--estimator", "logistic_regression", out=tmp_path / "out")
    assert (code, (tmp_path / "out").read_text()) == (0, "m@1\n"), shown
    assert "Searching \x1b" in shown
    assert "━" in shown
    assert "  1. log_loss" in shown
