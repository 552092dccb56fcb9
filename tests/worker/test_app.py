"""The worker's main process can fork: importing the tasks and the fast path starts no thread."""

import subprocess
import sys


def test_importing_the_tasks_and_loading_compiled_functions_starts_no_thread() -> None:
    code = (
        "import worker.app, os; from rowcast.compiled_cache import compile_all;"
        "compile_all(); print(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1\n"
