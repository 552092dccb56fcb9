"""The service with the example model, in a temporary folder, for tools that look at it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

ROOT = Path(__file__).parent.parent
TITANIC = ROOT / "training" / "data" / "titanic.csv"

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def example_service() -> Iterator[str]:
    """Yields the URL of a service on a free port, which ends with the block."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rowcast.cli", "up", "--example", "--port", "0", "--data", folder]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
            try:
                yield cast(IO[str], service.stdout).readline().split()[-1]
            finally:
                service.terminate()
