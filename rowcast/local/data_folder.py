"""The data folder: all that one service on one machine keeps, and the lock that gives it to one `up` at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowcast.errors import RowcastError


class FolderTaken(RowcastError):
    """Another `rowcast up` uses the folder."""


class Folder:
    """`DATA/models`, `DATA/store`, `DATA/redis` and `DATA/lock`. Readable by its owner alone: jobs lie in it."""

    def __init__(self, path: Path) -> None:
        """Makes the folder where it is missing.

        Raises:
            RowcastError: that is not possible.
        """
        self.path = path.expanduser().resolve()
        self.models = self.path / "models"
        self.store = self.path / "store"
        self.redis = self.path / "redis"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.models, self.store, self.redis):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise RowcastError(f"{path} cannot be used for data: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder. The lock goes with the process, however that ends, so none is ever stale.

        Raises:
            FolderTaken: another process holds it.
        """
        with (self.path / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderTaken(
                    f"Another `rowcast up` uses {self.path}; end it first, or give this one its own --data."
                ) from None
            yield
