"""The data folder: the models, jobs and results of one service, and the lock that lets only one `up` use it."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import rowcast
from rowcast.compiled_cache import FOLDER as COMPILED_CODE
from rowcast.compiled_cache import VARIABLE as CACHE_VARIABLE
from rowcast.errors import RowcastError

RECEIPT_KEY = "receipt-key.pem"
"""Name of the file of the key that signs receipts."""


class FolderTaken(RowcastError):
    """Another `rowcast up` uses the folder."""


class DataFolder:
    """The folder with `models`, `store`, `redis`, `numba`, `logs`, `lock` and the key for receipts.

    Only its owner can read it. `numba` has compiled code, and `logs` the programs' log lines. Both may be deleted
    while nothing runs, and are made again at the next start.
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
        self.logs = self.path / "logs"
        self.receipt_key = self.path / RECEIPT_KEY
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.models, self.store, self.redis):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise RowcastError(f"{path} cannot be used for data: {error.strerror}") from error

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Returns the environment of the programs: what is given, and what is missing for this folder."""
        defaults = {
            "ROWCAST_STORE": str(self.store),
            "ROWCAST_MODELS": str(self.models),
            "ROWCAST_RECEIPT_KEY_FILE": str(self.receipt_key),
            "ROWCAST_LOG_FOLDER": str(self.logs),
            CACHE_VARIABLE: str(self.compiled_code),
            "OMP_NUM_THREADS": "1",  # one process per core
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        root = Path(rowcast.__file__).resolve().parents[1]
        if root.name not in ("site-packages", "dist-packages"):  # a checkout, which the option -P of Python would hide
            defaults["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), given.get("PYTHONPATH")]))
            given = {name: value for name, value in given.items() if name != "PYTHONPATH"}
        return {**defaults, **given}

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
