"""The keeper's last resort."""

import signal
import subprocess
import sys


def test_a_predict_that_lets_no_other_thread_run_is_ended_by_the_kernel() -> None:
    code = """
import ctypes
from worker import keeper
keeper._ALARM_SECONDS = 0.1
with keeper.Keeper(None, 15, 0.1).holding([]):
    ctypes.PyDLL(None).sleep(1000)  # unlike CDLL's, its functions keep the interpreter to themselves
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGALRM
