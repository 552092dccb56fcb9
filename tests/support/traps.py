"""A hostile pickle: reading it writes a file."""

import pickle
from pathlib import Path


class _Writes:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "read")


def trap(path: Path) -> bytes:
    """The pickle that writes to `path` when it is read."""
    return pickle.dumps(_Writes(path))
