"""The heartbeat file: its modification time says when a program last finished a round.

A container's health check looks at the file's age. A shell does that in a few milliseconds; a Python program that asks
Redis would use 0.12 s of a core, in every container, at every check.
"""

from pathlib import Path

from rowcast.settings import Settings


def touch_heartbeat_file(settings: Settings) -> None:
    """Touches the file of `ROWCAST_HEARTBEAT_FILE`, if that is set. To be called after a round that reached Redis."""
    if settings.heartbeat_file:
        Path(settings.heartbeat_file).touch()
