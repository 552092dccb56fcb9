"""The README keeps its word: every command in it is run, and its table is that of the code."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ROOT, Stack

from rowcast.settings import table

README = (ROOT / "README.md").read_text()
TESTED_ELSEWHERE = {
    "make demo": "tests/stack/test_make.py",
    "make test": "this very run",
    "docker compose up --build --scale worker=3": "tests/compose",
}


def blocks(mark: str, language: str) -> list[str]:
    return re.findall(rf"<!-- {mark} -->\n```{language}\n(.*?)```", README, re.DOTALL)


def run(script: str, stack: Stack, folder: Path) -> str:
    """Runs a block as a reader would, in the checkout, but for the port, and what it writes lands in `folder`."""
    (folder / "training").symlink_to(ROOT / "training")
    script = script.replace("localhost:5000", f"127.0.0.1:{stack.port}")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ROWCAST_URL": stack.url,
        "ROWCAST_MODELS": str(stack.models),
    }
    script = f"rowcast() {{ '{sys.executable}' -m rowcast.cli \"$@\"; }}\nset -euo pipefail\n{script}"
    done = subprocess.run(
        ["bash", "-c", script], check=False, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_session_with_curl(stack: Stack, tmp_path: Path) -> None:
    printed = run(blocks("session", "sh")[0], stack, tmp_path)
    assert '{"status":"API is running"}' in printed
    assert '"prediction":0' in printed
    assert '"probabilities":{"0":' in printed
    assert "name,sex,age,pclass,sibsp,parch,survived,prediction\n" in printed
    assert "row,column,value,message" in printed
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 1310


def test_the_session_with_the_command_line(stack: Stack, tmp_path: Path) -> None:
    printed = run(blocks("session", "sh")[1], stack, tmp_path)
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 1310
    assert "titanic" in printed


def test_the_session_in_python(stack: Stack, tmp_path: Path) -> None:
    (code,) = blocks("python", "python")
    printed = run(f"'{sys.executable}' - <<'PYTHON'\n{code}PYTHON", stack, tmp_path)
    assert printed.startswith("0\n")
    assert "prediction" in printed


def test_a_model_of_the_readers_own(stack: Stack, tmp_path: Path) -> None:
    import pandas
    from sklearn.dummy import DummyClassifier

    passengers = pandas.read_csv(ROOT / "training/data/titanic.csv")
    (tmp_path / "model.pkl").write_bytes(
        pickle.dumps(DummyClassifier().fit(passengers[["age", "pclass"]], passengers["survived"]))
    )
    (code,) = blocks("train", "sh")
    assert "survival" in run(code, stack, tmp_path)
    assert (stack.models / "mine" / "1" / "manifest.json").exists()


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert f"<!-- settings -->\n{table()}<!-- /settings -->" in README


def test_every_other_command_is_tested_elsewhere() -> None:
    marked = {block for mark in ("session", "train") for block in blocks(mark, "sh")}
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        if block not in marked:
            for line in block.splitlines():
                assert line.partition("#")[0].strip() in TESTED_ELSEWHERE, line


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
