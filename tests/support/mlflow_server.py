"""MLflow in a separate environment, and its server as a process.

MLflow needs older packages than the service does (gunicorn, pyarrow), so it cannot be installed with it.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from programs import free_port, http_client, is_up, kill_group, until
from separate_environment import python_with

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def mlflow_python() -> Path:
    """Returns the Python of the environment, which is made if necessary. That takes some ten seconds."""
    return python_with("mlflow.txt")


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
