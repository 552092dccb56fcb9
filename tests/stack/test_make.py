"""The command that a newcomer types first, on a fresh clone, with an empty environment, in a folder with a space.

It installs every dependency again. `tests/test_readme.py` runs the rest in a clone that has them.
"""

import os
import subprocess
from pathlib import Path

import psutil
import pytest
from programs import ROOT

PASSED_ON = ("HOME", "PATH", "PIP_CERT", "SSL_CERT_FILE", "PIP_INDEX_URL")


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_make_demo_on_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "with a space"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    done = subprocess.run(
        ["make", "demo"], check=False, cwd=clone, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "name,sex,age,pclass,sibsp,parch,survived,prediction\n" in done.stdout
    assert ".rowcast/titanic-predictions.csv" in done.stderr
    assert len((clone / ".rowcast" / "titanic-predictions.csv").read_text().splitlines()) == 1310
    assert not processes_of(clone), "something was left running"
    again = subprocess.run(["make", "demo", "--dry-run"], check=True, cwd=clone, capture_output=True, text=True)
    assert "pip install" not in again.stdout, "nothing is installed a second time"


def processes_of(folder: Path) -> list[str]:
    """Returns the command lines of processes that run from the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line:
            found.append(line)
    return found
