"""The data folder: the models, jobs and results of one service, and the lock that lets only one `up` use it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowcast.compiled_cache import FOLDER as COMPILED_CODE
from rowcast.errors import RowcastError

RECEIPT_KEY = "receipt-key.pem"
"""Name of the file of the key that signs receipts."""


class FolderTaken(RowcastError):
    """Another `rowcast up` uses the folder."""


class DataFolder:
    """The folder with `models`, `store`, `redis`, `numba`, `lock` and the key for receipts. Only its owner can read it.

    `numba` has compiled code. It may be deleted while nothing runs, and is made again at the next start.
    """

    def __init__(self, path: Path) -> None:
        """Creates the folder if it is missing.

        Raises:
            RowcastError: the folder cannot be created.
        """
        self.path = path.expanduser().resolve()
        self.models = self.path / "models"
        self.store = self.path / "store"
        self.redis = self.path / "redis"
        self.compiled_code = self.path / COMPILED_CODE
        self.receipt_key = self.path / RECEIPT_KEY
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.models, self.store, self.redis):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise RowcastError(f"{path} cannot be used for data: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock on the folder. The lock ends with the process, even if that is killed, so it is never stale.

        Raises:
            FolderTaken: another process holds the lock.
        """
        with (self.path / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderTaken(
                    f"Another `rowcast up` uses {self.path}. Stop it first, or choose another folder with --data."
                ) from None
            yield
