"""The worker's main process can fork: importing the tasks and the fast path starts no thread."""

import os
import subprocess
import sys

from rowcast.compiled_cache import VARIABLE


def test_importing_the_tasks_and_loading_compiled_functions_starts_no_thread() -> None:
    code = (
        "import worker.app, os; from rowcast.compiled_cache import main;"
        "print(main(), len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded, threads = done.stdout.splitlines()
    assert loaded.endswith((f" functions into {os.environ[VARIABLE]}.", f"{os.environ[VARIABLE]} is complete."))
    assert threads == "0 1"
