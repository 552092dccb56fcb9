"""Processes that get hardly any processor time, because twenty others that want all of it come first."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

BUSY_PROCESSES = 20

_STARVED_NICE, _BUSY_NICE = 19, 10
"""The busy processes get seven times the share of a starved one. Other tests on this machine come before both."""

_BUSY = f"""
import os
from contextlib import suppress
os.nice({_BUSY_NICE})
with suppress(OSError), open("/proc/self/autogroup", "w") as file:
    file.write("{_BUSY_NICE}")
print(flush=True)
while True:
    pass
"""


@contextmanager
def starved(main: int) -> Iterator[None]:
    """Starves the process `main`, which leads a session, and its children."""
    _be_nice(main, _STARVED_NICE)
    busy = [
        subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(BUSY_PROCESSES)
    ]
    try:
        for process in busy:
            assert process.stdout
            process.stdout.readline()
        yield
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.communicate()
        with suppress(OSError):  # only root may
            _be_nice(main, 0)


def _be_nice(main: int, nice: int) -> None:
    for process in (psutil.Process(main), *psutil.Process(main).children(recursive=True)):
        for thread in process.threads():
            os.setpriority(os.PRIO_PROCESS, thread.id, nice)
    with suppress(OSError):  # if the kernel shares its time among sessions (sched(7), "The autogroup feature")
        Path(f"/proc/{main}/autogroup").write_text(str(nice))
