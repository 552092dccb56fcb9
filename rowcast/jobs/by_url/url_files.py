"""Files by URL: finds them, and reads ranges of them as long as they have not changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore
from pydantic import BaseModel, ConfigDict

from rowcast.errors import FileUnreadable, InputChanged, NoFilesFound, TooLarge, UrlRefused
from rowcast.jobs.by_url.file_url import FileUrl, prefixes_in
from rowcast.storage.bucket import is_denied, open_bucket, unavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta

MOST_FILES = 100_000
"""Maximum files of one job. Their names are in memory at once."""


class KnownFile(BaseModel):
    """One file as it was when it was found."""

    model_config = ConfigDict(frozen=True)

    url: str
    """Its URL."""
    size: int
    """Its length in bytes."""
    version: str
    """What changes if the file does: the ETag, or the number of the file and the time of its last change."""


class _Found(NamedTuple):
    path: str
    size: int
    version: str


class _Place(Protocol):
    """A file system or a bucket."""

    def find(self, url: FileUrl) -> Iterator[_Found]:
        """Yields the files that the URL stands for, in any order."""

    def read(self, path: str, start: int, length: int) -> tuple[_Found, bytes]:
        """Returns a range of a file, and what the file was at that moment."""


class UrlFiles:
    """The files below the allowed places.

    Raises:
        UrlRefused: a file does not lie in an allowed place, for example behind a symbolic link.
        FileUnreadable: the service may not read it. StoreUnavailable: the place cannot be reached.
    """

    def __init__(self, input_prefixes: str) -> None:
        """Takes the value of `ROWCAST_INPUT_PREFIXES`."""
        self._prefixes = prefixes_in(input_prefixes)
        self._places: dict[str, _Place] = {}

    def find(self, url: FileUrl) -> list[KnownFile]:
        """Returns the files that a URL stands for, sorted by name.

        Raises:
            NoFilesFound: there are none. TooLarge: there are too many.
        """
        found = []
        with _errors(str(url)):
            for one in self._place(url).find(url):
                found.append(KnownFile(url=f"{url.root}{one.path}", size=one.size, version=one.version))
                if len(found) > MOST_FILES:
                    raise TooLarge("The number of files", MOST_FILES, "fixed")
        if not found:
            what = "no file fits this pattern" if url.is_pattern else "there is no such file"
            raise NoFilesFound.at("input_url", f"{what}: {url}")
        return sorted(found, key=lambda file: file.url)

    def read(self, file: KnownFile, start: int, length: int) -> bytes:
        """Returns a range of a file.

        Raises:
            InputChanged: the file is another one now.
        """
        url = FileUrl.read(file.url, "input_url")
        with _errors(file.url):
            try:
                now, data = self._place(url).read(url.path, start, length)
            except FileNotFoundError:
                raise InputChanged(f"{file.url} was removed after the job had been planned.") from None
        if (now.size, now.version) != (file.size, file.version) or len(data) != length:
            raise InputChanged(f"{file.url} was changed after the job had been planned.")
        return data

    def _place(self, url: FileUrl) -> _Place:
        if not any(url.is_below(prefix) for prefix in self._prefixes):
            raise UrlRefused.at("input_url", "is not allowed by ROWCAST_INPUT_PREFIXES of the worker")
        if url.root not in self._places:
            folders = [Path("/", prefix.path) for prefix in self._prefixes if prefix.scheme == "file"]
            self._places[url.root] = _FileSystem(folders) if url.scheme == "file" else _Bucket(url.root)
        return self._places[url.root]


class _FileSystem:
    """The file system. A file is opened, and then it is checked where it really is."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = [Path(os.path.realpath(folder)) for folder in folders]

    def find(self, url: FileUrl) -> Iterator[_Found]:
        names = url.path[len(url.folder) :].split("/")
        for path in _walk(url, Path("/", url.folder), names):
            with self._opened(path) as descriptor:
                yield _seen(path, descriptor)

    def read(self, path: str, start: int, length: int) -> tuple[_Found, bytes]:
        with self._opened(Path("/", path)) as descriptor:
            data = _read(descriptor, start, length)
            return _seen(Path("/", path), descriptor), data

    @contextmanager
    def _opened(self, path: Path) -> Iterator[int]:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold this process
        try:
            link = Path(f"/proc/self/fd/{descriptor}")
            really = link.readlink() if link.exists() else Path(os.path.realpath(path))
            if not any(really.is_relative_to(folder) for folder in self._folders):
                raise UrlRefused.at("input_url", f"file://{path} leads out of the allowed places")
            yield descriptor
        finally:
            os.close(descriptor)


def _walk(url: FileUrl, folder: Path, names: list[str]) -> Iterator[Path]:
    """Yields the files below a folder whose names fit, one name for each level."""
    if "*" not in names[0]:
        candidates = [folder / names[0]]
    else:
        depth = len(folder.parts) - 1
        level = FileUrl(url.scheme, url.host, "/".join(url.path.split("/")[: depth + 1]))
        try:
            candidates = [Path(entry.path) for entry in os.scandir(folder) if level.matches(entry.path.lstrip("/"))]
        except (FileNotFoundError, NotADirectoryError):
            return
    for path in candidates:
        if len(names) > 1:
            yield from _walk(url, path, names[1:]) if path.is_dir() else ()
        elif path.is_file():
            yield path


def _read(descriptor: int, start: int, length: int) -> bytes:
    pieces = []
    while length and (piece := os.pread(descriptor, length, start)):
        pieces.append(piece)
        start, length = start + len(piece), length - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _seen(path: Path, descriptor: int) -> _Found:
    status = os.fstat(descriptor)
    return _Found(str(path).lstrip("/"), status.st_size, f"{status.st_ino}-{status.st_mtime_ns}")


class _Bucket:
    """A bucket, by obstore."""

    def __init__(self, root: str) -> None:
        self._store: ObjectStore = open_bucket(root)

    def find(self, url: FileUrl) -> Iterator[_Found]:
        if not url.is_pattern:
            try:
                yield _of(obstore.head(self._store, url.path))
            except FileNotFoundError:
                return
            except (PermissionDeniedError, UnauthenticatedError):
                obstore.get(self._store, url.path, options={"range": (0, 1)})  # its answer has a body, which says why
                raise
            return
        for page in obstore.list(self._store, prefix=url.folder or None):
            yield from (_of(one) for one in page if url.matches(one["path"]))

    def read(self, path: str, start: int, length: int) -> tuple[_Found, bytes]:
        if not length:
            return _of(obstore.head(self._store, path)), b""
        got = obstore.get(self._store, path, options={"range": (start, start + length)})
        return _of(got.meta), got.bytes().to_bytes()


def _of(meta: "ObjectMeta") -> _Found:
    tag = (meta["e_tag"] or "").strip('"')  # Azure quotes it with an object, and not in a list
    return _Found(meta["path"], meta["size"], tag or meta["last_modified"].isoformat())


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NoFilesFound.at("input_url", f"there is no such place: {url}") from None
    except (BaseError, OSError) as error:
        if isinstance(error, PermissionError) or is_denied(error):
            raise FileUnreadable.at("input_url", f"the service may not read {url}") from None
        raise unavailable(url, error) from error
