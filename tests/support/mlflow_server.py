"""MLflow in a separate environment, and its server as a process.

MLflow needs older packages than the service does (gunicorn, pyarrow), so it cannot be installed with it. This
environment has what the environment of the tests lacks, and takes the rest from there. It is made once for each lock
file.
"""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from programs import ROOT, free_port, http_client, is_up, kill_group, until

LOCK = ROOT / "requirements" / "mlflow.txt"
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def mlflow_python() -> Path:
    """Returns the Python of the environment, which is made if necessary. That takes some ten seconds."""
    of = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = ROOT / ".pytest_cache" / f"mlflow-{of}"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _make(folder)
    return folder / "bin" / "python"


def _make(folder: Path) -> None:
    run = [sys.executable, "-m", "venv", "--clear", "--without-pip", folder]
    subprocess.run(run, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "packages_of_the_tests.pth").write_text(f"{here}\n")  # comes after the environment's own
    wanted = folder / "lacking.txt"
    wanted.write_text("".join(one for one in _entries(LOCK.read_text()) if not _is_here(one)))
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


def environment(**more: str) -> dict[str, str]:
    """Returns the variables for programs of MLflow."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**without, **_QUIET, **more}


def run_with_mlflow(script: str, folder: Path, url: str) -> str:
    """Runs a script that uses MLflow and a server, as a user's notebook does. Returns what it prints."""
    done = subprocess.run(
        [mlflow_python(), "-c", script],
        cwd=folder,
        env=environment(MLFLOW_TRACKING_URI=url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Runs a server that passes on the files of models. Yields its address."""
    port = free_port()
    python = mlflow_python()
    where = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder / "artifacts"]
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *where]
    variables = environment(PATH=f"{python.parent}:{os.environ['PATH']}")
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        with http_client(f"http://127.0.0.1:{port}", timeout=5) as http:
            until(lambda: process.poll() is not None or is_up(http, "/health"), "MLflow's server answers", 170)
        assert process.poll() is None, (folder / "mlflow.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        kill_group(process)
