"""The client as a user has it: the wheel with what it requires, in an environment without the service."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installed import add_packages, build_wheel, environment
from programs import ROOT, Stack

import rowcast.client

pytestmark = pytest.mark.xdist_group("installed")  # they share an environment

SCRIPT = Path(__file__).with_name("typed_script.py")

USES = """
import asyncio, importlib.util, sys
from rowcast import AsyncClient, Client, MissingColumns

names = ("flask", "celery", "redis", "pandas", "numpy", "sklearn", "structlog")
service = [name for name in names if importlib.util.find_spec(name)]
assert not service, service
with Client() as client:
    assert client.predict([25, 3]).prediction == 0
    assert client.predict_csv("in.csv", "out.csv").status == "succeeded"
    try:
        client.submit_csv(b"age\\n25\\n")
    except MissingColumns as error:
        print(error)

async def main():
    async with AsyncClient() as client:
        print((await client.predict_csv("in.csv", "async.csv")).status)

asyncio.run(main())
assert open("out.csv").read() == open("async.csv").read()
"""


MYPY = """
[mypy]
strict = true
[mypy-polars.*,numpy.*]
follow_imports = skip
[mypy-polars,polars.dataframe,polars.dataframe.frame]
follow_imports = normal
"""
"""Only what says what a DataFrame is: reading all types of polars and numpy takes 4 s."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the client."""
    return environment(tmp_path_factory.mktemp("client") / "environment", build_wheel(tmp_path_factory.mktemp("wheel")))


def test_the_wheel_is_all_that_a_client_and_the_command_line_need(python: Path, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("age,pclass\n25,3\n60,1\n")
    variables = {"PATH": os.environ["PATH"], "ROWCAST_URL": stack.url, "HOME": str(tmp_path)}

    def run(*command: object) -> str:
        done = subprocess.run(command, check=False, cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert re.fullmatch("The header lacks columns .*: 'pclass' is missing.\nsucceeded\n", run(python, "-c", USES))
    rowcast, wanted = python.with_name("rowcast"), (tmp_path / "out.csv").read_text()
    assert run(rowcast, "predict", "in.csv", "-o", "-") == wanted
    id = json.loads(run(rowcast, "submit", "in.csv", "--json"))["id"]
    run(rowcast, "watch", id)
    assert run(rowcast, "result", id) == wanted
    for command in (["check", "in.csv"], ["errors", id], ["status", id], ["jobs"], ["delete", id]):
        run(rowcast, *command)
    refused = subprocess.run([rowcast, "audit"], check=False, env=variables, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.endswith("not installed: pip install 'rowcast[local]'\n")


def test_a_strict_type_checker_finds_the_mistakes_of_a_script_and_nothing_else(python: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(python.parents[1], tmp_path / "environment", symlinks=True)
    add_packages(copy, "pandas", "pandas-stubs", "polars")
    (tmp_path / "script.py").write_text(SCRIPT.read_text())
    (tmp_path / "mypy.ini").write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--python-executable", copy / "bin" / "python"]
    command += ["--cache-dir", ROOT / ".pytest_cache" / "mypy", "script.py"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    found = re.findall(r"^script\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    lines = SCRIPT.read_text().splitlines()
    wrong = [(str(number), line.split("WRONG: ")[1]) for number, line in enumerate(lines, 1) if "WRONG: " in line]
    assert found == wrong, done.stdout + done.stderr


def test_every_public_name_is_one_of_the_package() -> None:
    from rowcast import AsyncClient, MissingColumns

    assert AsyncClient is rowcast.client.AsyncClient
    assert MissingColumns is rowcast.client.MissingColumns
    assert not hasattr(rowcast, "Nothing")
