"""The guardian: outlives a supervisor that was killed, ends what that one has started, and goes.

`python -m rowcast.local.reaper RUN DATA`, with a pipe from the supervisor as standard input. The pipe's end without a
word means that the supervisor is gone, whatever ended it; this holds where there is no parent-death signal, too.
"""

import signal
import sys
from pathlib import Path

from rowcast.local.stale_processes import end_leftovers

FAREWELL = b"done"


def main() -> None:
    """Waits for the pipe's end."""
    run, data = sys.argv[1:3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the supervisor's
    if sys.stdin.buffer.read() != FAREWELL:
        end_leftovers(Path(data), run)


if __name__ == "__main__":
    main()
