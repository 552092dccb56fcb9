"""`python -m rowcast.cli`, the same as `rowcast`."""

import signal
import sys


def run() -> int:
    """Loads the command line and runs it. Ctrl-C while it is loaded ends the program without a stack trace."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rowcast.cli.main import main

    signal.signal(signal.SIGINT, before)
    return main()


if __name__ == "__main__":
    sys.exit(run())
