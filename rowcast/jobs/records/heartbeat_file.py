"""The heartbeat file: its modification time says when a program last finished a round.

A container's health check looks at the file's age. A shell does that in a few milliseconds; a Python program that asks
Redis would use 0.12 s of a core, in every container, at every check.
"""

from pathlib import Path

from rowcast.settings import Settings


def show_alive(settings: Settings) -> None:
    """Touches the file of `ROWCAST_ALIVE_FILE`, if that is set. To be called only after a round without an error."""
    if settings.alive_file:
        Path(settings.alive_file).touch()
