"""The exit reason: how a process ended, in words."""

import signal


def exit_reason(code: int) -> str:
    """Returns how a process ended, for example `exit code 3`, or `killed by SIGKILL` for the code -9."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
