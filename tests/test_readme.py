"""The README keeps its word: its commands run as printed, in a fresh clone, and its table is that of the code."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from numba.core.caching import _CacheLocator
from programs import ROOT

from api.guide.settings_table import table

README = (ROOT / "README.md").read_text()
TESTED_ELSEWHERE = {
    "make demo": "tests/stack/test_make.py",
    "make test": "this very run",
    "docker compose up --build --scale worker=3": "tests/compose",
}
in_one_clone = pytest.mark.xdist_group("readme")


def blocks(mark: str) -> list[str]:
    """Returns the blocks below `<!-- mark -->`, in order."""
    return re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", README, re.DOTALL)


@dataclass
class Clone:
    """A clone of the working tree whose service runs in another terminal."""

    folder: Path
    environment: dict[str, str]
    url: str

    def run(self, block: str) -> str:
        """Runs a block in a new terminal in which only the line that the README asks for has been typed before.

        The service has another port than the README's, which may be taken on the machine that runs the tests.
        """
        (activate,) = blocks("activate")
        script = f"set -euo pipefail\n{activate}{block}".replace("localhost:5000", self.url.removeprefix("http://"))
        done = subprocess.run(
            ["bash", "-c", script],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """The clone, with nothing in the environment that a user would not have."""
    folder = tmp_path_factory.mktemp("clone") / "rowcast"
    home = tmp_path_factory.mktemp("home")
    copy_tracked_files(folder)
    copy_compiled_functions(folder)
    prepare_environment(folder / ".venv")
    python = f"{sys.base_prefix}/bin"
    environment = {"HOME": str(home), "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin", "TMPDIR": str(home)}
    (start,) = blocks("start")
    with (home / "up.log").open("wb") as log:
        up = subprocess.Popen(
            ["bash", "-c", f"{start.strip()} ARGS='--port 0'"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    line = up.stdout.readline().decode()
    assert line.startswith("Rowcast is ready at http://127.0.0.1:"), (home / "up.log").read_text()
    yield Clone(folder, environment, line.split()[-1])
    os.killpg(up.pid, signal.SIGINT)  # as Ctrl-C does
    up.stdout.close()
    assert up.wait() in (0, -signal.SIGINT)  # make waits for the service, and then says what ended it


def copy_tracked_files(folder: Path) -> None:
    """What a clone would hold if the working tree were committed."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def copy_compiled_functions(clone: Path) -> None:
    """What the first start in the clone would compile, if it is there; tests/stack/test_up.py has a start that does."""
    for folder in {file.parent for file in (ROOT / "rowcast").rglob("*_kernels.py")}:
        compiled = Path(os.environ["NUMBA_CACHE_DIR"], numbas_name(folder))
        if compiled.is_dir():
            there = clone / folder.relative_to(ROOT)
            shutil.copytree(compiled, clone / ".rowcast" / "numba" / numbas_name(there))


def numbas_name(folder: Path) -> str:
    """Returns the name under which numba keeps the compiled functions of the files in this folder."""
    return str(_CacheLocator.get_suitable_cache_subpath(str(folder / "any.py")))


def prepare_environment(venv: Path) -> None:
    """What `make` has after it has installed the dependencies: here they are those of the environment of the tests.

    It still has to install the clone itself. tests/stack/test_make.py installs all of it.
    """
    subprocess.run([f"{sys.base_prefix}/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.copy(ROOT / "requirements" / "local.txt", venv / "locked")


@in_one_clone
def test_the_session_with_curl(clone: Clone) -> None:
    printed = clone.run(blocks("session")[0])
    assert '{"status":"API is running"}' in printed
    assert '"prediction":0' in printed
    assert '"probabilities":{"0":' in printed
    assert "name,sex,age,pclass,sibsp,parch,survived,prediction\n" in printed
    assert "row,column,value,message" in printed
    assert rows_in(clone.folder / "predictions.csv") == 1309


@in_one_clone
def test_the_session_with_the_command_line(clone: Clone) -> None:
    assert "titanic" in clone.run(blocks("session")[1])
    assert rows_in(clone.folder / "scored.csv") == 1309


@in_one_clone
def test_the_session_in_python(clone: Clone) -> None:
    printed = clone.run(in_python(blocks("python")[0]))
    assert printed.startswith("0\n")
    assert "prediction" in printed


@in_one_clone
def test_a_model_of_the_readers_own(clone: Clone) -> None:
    assert "survival@1" in clone.run(blocks("session")[2])
    clone.run(in_python(blocks("python")[1]))
    assert "mine@1" in clone.run(blocks("session")[3])
    assert rows_in(clone.folder / "mine.csv") == 1309


def rows_in(path: Path) -> int:
    return len(path.read_text().splitlines()) - 1


def in_python(code: str) -> str:
    return f"python - <<'PYTHON'\n{code}PYTHON\n"


def test_every_block_is_run_by_one_of_these_tests() -> None:
    assert [len(blocks(mark)) for mark in ("start", "activate", "session", "python")] == [1, 1, 4, 2]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert f"<!-- settings -->\n{table()}<!-- /settings -->" in README


def test_every_other_command_is_tested_elsewhere() -> None:
    marked = {block for mark in ("start", "activate", "session") for block in blocks(mark)}
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        if block not in marked:
            for line in block.splitlines():
                assert line.partition("#")[0].strip() in TESTED_ELSEWHERE, line


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link.partition("#")[0]).exists()
