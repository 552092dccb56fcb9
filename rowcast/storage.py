"""Files by key: a few verbs over bytes, the same for a folder and for a bucket (S3, GCS, Azure Blob).

A key is a relative path with `/`. A put is atomic: a reader sees the whole object or none. What the folder
holds outlives a killed process; it is as safe from a power cut as the file system makes it.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from rowcast.errors import StoreUnavailable

_URL = re.compile(r"^[a-z0-9]+://")


class Storage:
    """Verbs over one folder or bucket.

    Raises:
        Unavailable: from any verb, where the folder or the bucket cannot be reached, read or written.
    """

    def __init__(self, location: str) -> None:
        """`location`: a folder (made where it is missing) or a URL that obstore knows (`s3://bucket/prefix`)."""
        self.location = location
        self._folder = None if _URL.match(location) else Path(location).absolute()
        try:
            self._store = _open(location, self._folder)
        except (BaseError, OSError) as error:
            detail = f"The store {location} cannot be opened: {error}"
            raise StoreUnavailable(detail, public="The store cannot be opened.") from error

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Writes the object whole, over one that is there."""
        with _store_errors(self.location, key):
            obstore.put(self._store, key, data, use_multipart=False)

    def create(self, key: str, data: bytes) -> bool:
        """Writes the object whole where there is none; answers whether it did. Of two at once one wins."""
        try:
            with _store_errors(self.location, key):
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except FileExistsError:
            return False
        return True

    def get(self, key: str) -> bytes:
        """Reads the object whole.

        Raises:
            FileNotFoundError: there is no such object.
        """
        with _store_errors(self.location, key):
            return obstore.get(self._store, key).bytes().to_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Reads `length` bytes from offset `start`.

        Raises:
            FileNotFoundError: there is no such object.
        """
        with _store_errors(self.location, key):
            return obstore.get_range(self._store, key, start=start, length=length).to_bytes()

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Every object below the folder `prefix` as (key, bytes), in no order; a folder may be missing."""
        with _store_errors(self.location, prefix):
            pages = list(obstore.list(self._store, prefix=prefix))
        for page in pages:
            for entry in page:
                yield entry["path"], entry["size"]

    def folders(self, prefix: str = "") -> list[str]:
        """The names of the folders right below `prefix` ("" is the top), sorted."""
        with _store_errors(self.location, prefix):
            found = obstore.list_with_delimiter(self._store, prefix=prefix or None)
        return sorted(Path(path).name for path in found["common_prefixes"])

    def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        try:
            with _store_errors(self.location, key):
                obstore.delete(self._store, key)
        except FileNotFoundError:
            pass

    def delete_folder(self, prefix: str) -> int:
        """Removes every object below the folder and answers how many there were."""
        keys = [key for key, _ in self.entries(prefix)]
        for key in keys:
            self.delete(key)
        if self._folder:  # what a process left that was killed while it wrote is in no listing
            shutil.rmtree(self._folder / prefix, ignore_errors=True)
        return len(keys)

    def delete_partial_writes(self, key: str) -> None:
        """Removes what is left of puts of this object whose process was killed: in a folder, `KEY#1` and so on.

        A put that still goes on fails by it.
        """
        if self._folder:
            with _store_errors(self.location, key):
                for file in (self._folder / key).parent.glob(f"{Path(key).name}#*"):
                    file.unlink(missing_ok=True)

    def check(self) -> None:
        """Writes, reads and removes a small object.

        Raises:
            Unavailable: where any of it fails.
        """
        self.put(".check", b"ok")
        if self.get(".check") != b"ok":
            raise StoreUnavailable(f"The store {self.location} does not give back what it was given.")
        self.delete(".check")


def _open(location: str, folder: Path | None) -> ObjectStore:
    if folder is None:
        return from_url(location)
    return LocalStore(folder, mkdir=True, automatic_cleanup=True)


@contextmanager
def _store_errors(location: str, key: str) -> Iterator[None]:
    """Turns obstore's errors into ours; `FileNotFoundError` and `FileExistsError` say what they say."""
    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError(key) from None
    except FileNotFoundError:
        raise FileNotFoundError(key) from None
    except (BaseError, OSError) as error:
        reason = str(error).split("\n", 1)[0]
        detail = f"The store {location} failed at {key!r}: {reason}"
        raise StoreUnavailable(detail, public="The store cannot be reached, read or written.") from error
