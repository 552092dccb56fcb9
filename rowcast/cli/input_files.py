"""The files that a command reads: whether they are there."""

from pathlib import Path

from rowcast.errors import NotFound


def require_files(*files: Path) -> None:
    """Looks for the files. Call it before importing the libraries that read them, which takes seconds.

    Raises:
        NotFound: one of them is not there.
    """
    for file in files:
        if not file.exists():
            raise NotFound.file(file)
