"""A trial: a file is read in another process first, because native code may end the process on a damaged file."""

import subprocess
import sys
from subprocess import DEVNULL

from rowcast.errors import Unreadable
from rowcast.wording.exit_reason import exit_reason

_SECONDS = 600
"""Longest time that reading may take. The largest models take about a minute."""


def require_survival(name: str, data: bytes, source: str) -> None:
    """Runs Python code that reads the file from standard input. An exception there is left to the actual reading.

    Raises:
        Unreadable: the process was ended by a signal, or takes too long.
    """
    command = [sys.executable, "-c", source]
    try:
        code = subprocess.run(
            command, input=data, stdout=DEVNULL, stderr=DEVNULL, timeout=_SECONDS, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{name} cannot be read here: reading it takes more than {_SECONDS} s.") from None
    if code < 0:
        raise Unreadable(
            f"{name} cannot be read here: its library ended the process that tried ({exit_reason(code)}), so the file "
            "is damaged, or from a version of the library that this one does not know. Save the model again."
        )
