"""A service that was started as the quick start says, in a folder with nothing else in it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from quickstart import Folder, block


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """The folder after the reader has made the files, registered the model and started the service."""
    home = tmp_path_factory.mktemp("home")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        "HOME": str(home),
        "PATH": path,
        "XDG_STATE_HOME": str(home / "state"),
        "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"],  # tests/stack/test_up.py has a start that compiles
    }
    folder = Folder(tmp_path_factory.mktemp("quickstart"), environment)
    folder.python(block("files"))
    folder.run(block("register"))
    with (home / "up.log").open("wb") as log:
        up = subprocess.Popen(
            ["bash", "-c", f"exec {block('start').strip()} --port 0"],  # port 5000 may be taken on this machine
            cwd=folder.path,
            env=folder.environment,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert up.stdout is not None
    line = up.stdout.readline().decode()
    assert line.startswith("Rowcast is ready at http://127.0.0.1:"), (home / "up.log").read_text()
    folder.url = line.split()[-1]
    folder.environment["ROWCAST_URL"] = folder.url
    yield folder
    os.killpg(up.pid, signal.SIGINT)  # as Ctrl-C does
    up.stdout.close()
    up.wait()
