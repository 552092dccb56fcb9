"""API keys: a file with one key per line, `NAME:ROLE:SHA256`. It holds digests only, so it does not reveal the keys."""

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rowcast.errors import BadKeysFile, InvalidName, NotFound

PREFIX = "rc_"
CHECK_INTERVAL_SECONDS = 1.0
"""Least time between two checks whether the file has changed."""

_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LINE_FORMAT = "the line must have the form NAME:ROLE:SHA256"
_NAME_FORMAT = "a name has 1 to 64 letters, digits, dots, hyphens and underscores; the first is a letter or digit"


class Role(StrEnum):
    """`user` sees only its own jobs; `admin` sees all jobs and may change aliases."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True)
class ApiKey:
    """One line of the file."""

    #: Owner of the key, for example `alice`; its jobs belong to this name.
    name: str
    #: What the key may do.
    role: Role
    #: SHA-256 of the key as it is sent; 32 bytes.
    digest: bytes

    def __str__(self) -> str:
        return f"{self.name}:{self.role}:{self.digest.hex()}"


class KeyRing:
    """The keys of a file, in memory. Threads may share it."""

    def __init__(self, file: Path) -> None:
        """Reads the file.

        Raises:
            BadKeysFile: the file cannot be read, or has a malformed line.
        """
        self._file = file
        self._seen = _state(file)
        self._keys = read(file)
        self._check_at = time.monotonic() + CHECK_INTERVAL_SECONDS

    def __len__(self) -> int:
        return len(self._keys)

    def holder(self, secret: str) -> ApiKey | None:
        """Returns the key with this secret, or None. Compares all in constant time, so that timing reveals nothing."""
        digest = _digest(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def refresh(self) -> bool:
        """Reads the file again if it has changed, and returns whether it has. Checks at most once a second.

        Raises:
            BadKeysFile: the changed file cannot be read. Raised once for each change; the known keys stay valid.
        """
        now = time.monotonic()
        if now < self._check_at:
            return False
        self._check_at = now + CHECK_INTERVAL_SECONDS
        state = _state(self._file)
        if state == self._seen:
            return False
        self._seen = state
        self._keys = read(self._file)
        return True


def read(file: Path) -> tuple[ApiKey, ...]:
    """Returns the keys in the order of their lines. Blank lines and lines that begin with `#` are ignored.

    Raises:
        BadKeysFile: names the file, the line and the format, but not the line's text, which may be a key.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise BadKeysFile(file, None, "the file does not exist; create it with `rowcast keys new NAME`") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadKeysFile(file, None, f"cannot be read: {reason}") from None
    found: dict[str, ApiKey] = {}
    for number, line in enumerate(lines, 1):
        if not _is_key(line):
            continue
        try:
            key = _parse(line.strip())
            if key.name in found:
                raise ValueError(f"{_LINE_FORMAT}; the name {key.name!r} is already on an earlier line")
            if any(key.digest == other.digest for other in found.values()):
                raise ValueError(f"{_LINE_FORMAT}; the same key is already on an earlier line")
        except ValueError as error:
            raise BadKeysFile(file, number, str(error)) from None
        found[key.name] = key
    return tuple(found.values())


def new(file: Path, name: str, role: Role = Role.USER) -> str:
    """Creates a key of 256 random bits, appends its line to the file, and returns the key, which is stored nowhere.

    Raises:
        InvalidName: the name is not valid, or is already in the file.
        BadKeysFile: the file cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName.at("name", _NAME_FORMAT)
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file):
        if file.exists() and any(key.name == name for key in read(file)):
            raise InvalidName.at("name", f"{name!r} is already in {file}")
        before = file.read_bytes() if file.exists() else b""
        line = ("\n" if before and not before.endswith(b"\n") else "") + f"{ApiKey(name, role, _digest(secret))}\n"
        # One write at the end of the file: a gateway that reads meanwhile sees the complete line or nothing of it.
        target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(target, line.encode())
            os.fsync(target)
        finally:
            os.close(target)
    return secret


def remove(file: Path, name: str) -> None:
    """Removes a key's line. The other lines stay unchanged.

    Raises:
        NotFound: the file has no key with this name.
        BadKeysFile: the file cannot be read.
    """
    with _locked(file):
        if all(key.name != name for key in read(file)):
            raise NotFound(f"{file} has no key {name!r}.")
        lines = file.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not _is_key(line) or _parse(line.strip()).name != name]
        _replace(file, "".join(kept))


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parse(line: str) -> ApiKey:
    parts = line.split(":")
    if len(parts) != 3:
        raise ValueError(_LINE_FORMAT)
    name, role, digest = parts
    if not _NAME.fullmatch(name):
        raise ValueError(f"{_LINE_FORMAT}; {_NAME_FORMAT}")
    if role not in {role.value for role in Role}:
        raise ValueError(f"{_LINE_FORMAT}; the role must be {' or '.join(Role)}")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{_LINE_FORMAT}; SHA256 must be 64 hexadecimal digits")
    return ApiKey(name, Role(role), bytes.fromhex(digest))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _replace(file: Path, text: str) -> None:
    """Replaces the file in one step, so that a gateway never reads half of it. Keeps mode and, if allowed, owner."""
    before = file.stat()
    temporary = file.with_name(f".{file.name}.new")
    temporary.touch(0o600)
    temporary.write_text(text, "utf-8")
    if hasattr(os, "chown"):  # not on Windows
        with suppress(PermissionError):
            os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(before.st_mode & 0o777)
    temporary.replace(file)


def _state(file: Path) -> tuple[int, int, int] | None:
    """Returns what changes with the file: time, size and inode; None if the file does not exist."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Lets one program at a time change the file. Locks the folder, because the file itself may be replaced."""
    try:
        import fcntl
    except ImportError:  # Windows, where the gateway does not run
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
