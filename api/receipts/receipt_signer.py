"""What a gateway has in memory for receipts: its keys, and which results are being hashed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from rowcast.receipts.key_files import SigningKeys, read_signing_keys


class ReceiptSigner:
    """The keys of a gateway, and a lock for each job whose receipt is being made. Greenlets may share it."""

    def __init__(self, key_file: str | None) -> None:
        """Reads the keys; None means that the gateway makes no receipts.

        Raises:
            BadReceiptKey: the file is not one of keys.
        """
        self.keys: SigningKeys | None = None if key_file is None else read_signing_keys(Path(key_file))
        self._making: dict[str, tuple[Lock, int]] = {}
        """Of each job that is being hashed: its lock, and how many requests hold it or wait for it."""

    @contextmanager
    def only_one(self, id: str) -> Iterator[None]:
        """Waits until no other request makes the receipt of this job."""
        lock, users = self._making.get(id, (Lock(), 0))
        self._making[id] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            lock, users = self._making.pop(id)
            if users > 1:
                self._making[id] = lock, users - 1
