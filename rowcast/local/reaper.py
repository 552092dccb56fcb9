"""The reaper: outlives a killed supervisor, ends the processes that it had started, and exits.

`python -m rowcast.local.reaper RUN DATA`, with a pipe from the supervisor as standard input. If the pipe closes
without the word `done`, the supervisor has died. This also works on systems without a parent-death signal.
"""

import signal
import sys
from pathlib import Path

from rowcast.local.stale_processes import end_stale_processes

FAREWELL = b"done"


def main() -> None:
    """Waits until the pipe closes."""
    run, data = sys.argv[1:3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles the terminal's Ctrl-C
    if sys.stdin.buffer.read() != FAREWELL:
        end_stale_processes(Path(data), run)


if __name__ == "__main__":
    main()
