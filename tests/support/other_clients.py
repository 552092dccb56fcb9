"""An environment with the clients of other services (`requirements/clients.txt`), for the doors.

It is kept in `.pytest_cache`, because installing takes some seconds. What the environment of the tests has already is
taken from there.
"""

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from programs import ROOT

LOCKED = ROOT / "requirements" / "clients.txt"


def python_with_clients() -> Path:
    """Returns the Python of the environment.

    Raises:
        CalledProcessError: the packages cannot be installed, for example because there is no network.
    """
    present = {canonicalize_name(one.metadata["Name"]) for one in distributions()}
    blocks = re.split(r"\n(?=\w)", LOCKED.read_text())
    lacking = [
        block for block in blocks if "==" in block and canonicalize_name(block.partition("==")[0]) not in present
    ]
    wanted = hashlib.sha256("\n".join([sys.version, *lacking]).encode()).hexdigest()[:12]
    folder = ROOT / ".pytest_cache" / f"clients-{wanted}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _install(folder, "\n".join(lacking))
    return folder / "bin" / "python"


def _install(folder: Path, requirements: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True)
    (folder / "requirements.txt").write_text(requirements)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_path("purelib"))
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", *options]
    subprocess.run([*command, "-r", folder / "requirements.txt"], check=True, capture_output=True, text=True)
    (folder / "ready").touch()
