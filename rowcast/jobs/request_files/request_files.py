"""The files of requests, as their owners may use them, and their sweep.

A file is kept for the retention from its upload on, and for as long as a batch needs it.
"""

import time
from collections.abc import Iterable, Iterator

from rowcast.errors import UnknownFile
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request_files.request_file import RequestFile, StoredRequests, created_ms, owner_digest

_LATE_SECONDS = 3600
"""The sweep leaves each file for another hour: its upload may have taken as long."""


class RequestFiles:
    """The files of requests.

    `owner` is the name of an API key. Files of other owners are unknown. None means every owner.

    Raises:
        Unavailable: from any method, if Redis or the store cannot be reached.
    """

    def __init__(self, stored: StoredRequests, scripts: Scripts, retention_seconds: float) -> None:
        """Files are kept for `retention_seconds` from their upload on, and longer if a batch needs them."""
        self._stored, self._scripts, self._retention_seconds = stored, scripts, retention_seconds

    def receive(self, owner: str, filename: str, blocks: Iterable[bytes]) -> RequestFile:
        """Stores a file that comes in blocks of any size. If this raises, nothing is left behind.

        Raises:
            EmptyFile: it has no bytes. The others are those of reading the blocks.
        """
        return self._stored.receive(owner, filename, blocks)

    def get(self, id: str, owner: str | None = None) -> RequestFile:
        """Returns what is known of a file.

        Raises:
            UnknownFile: there is none with this id, or it belongs to another owner, or its time is over.
        """
        file = self._stored.read(id)
        if file is None or owner not in (None, file.owner) or not self._kept([id]):
            kept = f"Files are kept for {self._retention_seconds:.0f} seconds, or until their batches expire."
            raise UnknownFile(f"File not found: {id[:80]}. {kept}")
        return file

    def page(
        self, limit: int, after: str | None, owner: str | None, *, newest_first: bool
    ) -> tuple[list[RequestFile], bool]:
        """Returns at most `limit` files that come after the id `after`, and whether there are more."""
        own = f"-{owner_digest(owner)}" if owner is not None else ""
        ids = [id for id in self._stored.ids() if id.endswith(own)]
        ids = self._kept(ids[::-1] if newest_first else ids)
        if after is not None:
            ids = [id for id in ids if (id < after if newest_first else id > after)]
        found: list[RequestFile] = []
        for id in ids:
            file = self._stored.read(id)  # None while it arrives
            if file is not None and owner in (None, file.owner):
                if len(found) == limit:
                    return found, True
                found.append(file)
        return found, False

    def expiry_ms(self, ids: list[str]) -> dict[str, int | None]:
        """Returns when each file goes, in milliseconds since 1970; None if a batch that has not ended needs it."""
        needed = self._scripts.read_file_needs(ids)
        return {id: None if needed.get(id) == 0 else max(self._retained_ms(id), needed.get(id, 0)) for id in ids}

    def blocks(self, file: RequestFile) -> Iterator[bytes]:
        """Yields the content of a file. Raises UnknownFile if it has just been deleted."""
        return self._stored.blocks(file)

    def delete(self, id: str) -> None:
        """Deletes a file, also if a batch needs it."""
        self._stored.delete(id)
        self._scripts.forget_file(id)

    def sweep(self) -> list[str]:
        """Deletes the files whose time is over, and returns their ids. It is safe to run in two processes."""
        late_ms = _now_ms() - _LATE_SECONDS * 1000
        over = [id for id in self._stored.ids() if late_ms > self._retained_ms(id) and self._scripts.drop_file(id)]
        for id in over:
            self._stored.delete(id)
        return over

    def _kept(self, ids: list[str]) -> list[str]:
        """Returns those of the ids whose time is not over."""
        now_ms = _now_ms()
        over = [id for id in ids if now_ms > self._retained_ms(id)]
        needed = self._scripts.read_file_needs(over) if over else {}
        return [id for id in ids if id not in over or id in needed]

    def _retained_ms(self, id: str) -> int:
        return created_ms(id) + int(self._retention_seconds * 1000)


def _now_ms() -> int:
    return int(time.time() * 1000)
