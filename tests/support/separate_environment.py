"""Separate environments, for packages that cannot be installed with the service, or that are too large for every test.

Each has what the environment of the tests lacks, and takes the rest from there. It is made once for each lock file.
"""

import fcntl
import hashlib
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from programs import ROOT


def python_with(lock_file: str) -> Path:
    """Returns the Python of the environment with the packages of `requirements/LOCK_FILE`. Making it takes seconds."""
    lock_path = ROOT / "requirements" / lock_file
    of = hashlib.sha256(lock_path.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = ROOT / ".pytest_cache" / f"{lock_path.stem}-{of}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _make(folder, lock_path.read_text())
    return folder / "bin" / "python"


def _make(folder: Path, lock: str) -> None:
    run = [sys.executable, "-m", "venv", "--clear", "--without-pip", folder]
    subprocess.run(run, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "packages_of_the_tests.pth").write_text(f"{here}\n")  # comes after the environment's own
    wanted = folder / "lacking.txt"
    wanted.write_text("".join(one for one in _entries(lock) if not _is_here(one)))
    install = ["install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    subprocess.run([*pip, *install, "-r", wanted], check=True)
    (folder / "whole").touch()


def _entries(lock: str) -> list[str]:
    """Returns each package of a lock file with its hashes."""
    return re.findall(r"^[a-z0-9].*\n(?: .*\n)*", lock, re.MULTILINE)


def _is_here(entry: str) -> bool:
    try:
        distribution(entry.partition("==")[0].partition("[")[0])
    except PackageNotFoundError:
        return False
    return True
