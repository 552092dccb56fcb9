"""API keys: a file with one line a key, `NAME:ROLE:SHA256`. Who holds the file cannot tell the keys from it."""

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
LOOK_SECONDS = 1.0
"""How often, at most, the file is looked at for changes."""

_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LINE_TAKES = "takes NAME:ROLE:SHA256"
_NAME_TAKES = "a name takes 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"


class Role(StrEnum):
    """`user` sees its own jobs alone; `admin` sees all, and moves aliases."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True)
class Key:
    """One line. `digest` is the SHA-256 of the key as it is sent."""

    name: str
    role: Role
    digest: bytes

    def __str__(self) -> str:
        return f"{self.name}:{self.role}:{self.digest.hex()}"


class KeyRing:
    """The keys of a file, in memory; threads may share it."""

    def __init__(self, file: Path) -> None:
        """Reads the file.

        Raises:
            BadKeysFile: it cannot be read, or has a line that is no key.
        """
        self._file = file
        self._seen = _state(file)
        self._keys = read(file)
        self._look_at = time.monotonic() + LOOK_SECONDS

    def __len__(self) -> int:
        return len(self._keys)

    def holder(self, secret: str) -> Key | None:
        """Whose key this is. Every key is compared, in constant time, so that the time taken tells nothing."""
        digest = _digest(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def refresh(self) -> bool:
        """Reads the file again if it has changed, looking at most once a second; answers whether it had.

        Raises:
            BadKeysFile: as at the start, once for each change; the keys that were known stay in force.
        """
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        state = _state(self._file)
        if state == self._seen:
            return False
        self._seen = state
        self._keys = read(self._file)
        return True


def read(file: Path) -> tuple[Key, ...]:
    """The keys in the order of their lines. Blank lines, and those that begin with `#`, are none.

    Raises:
        BadKeysFile: with the file, the line and what it takes; never with what stands there, which may be a key.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise BadKeysFile(file, None, "there is no such file; `rowcast keys new NAME --file FILE` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadKeysFile(file, None, f"cannot be read: {reason}") from None
    found: dict[str, Key] = {}
    for number, line in enumerate(lines, 1):
        if not _is_key(line):
            continue
        try:
            key = _parse(line.strip())
            if key.name in found:
                raise ValueError(f"{_LINE_TAKES}; the name {key.name!r} stands on an earlier line")
            if any(key.digest == other.digest for other in found.values()):
                raise ValueError(f"{_LINE_TAKES}; the same key stands on an earlier line")
        except ValueError as error:
            raise BadKeysFile(file, number, str(error)) from None
        found[key.name] = key
    return tuple(found.values())


def new(file: Path, name: str, role: Role = Role.USER) -> str:
    """Makes a key of 256 random bits, appends its line to the file, and gives it out: it stands nowhere else.

    Raises:
        InvalidName: the name is none, or is taken. BadKeysFile: the file cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName.at("name", _NAME_TAKES)
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file):
        if file.exists() and any(key.name == name for key in read(file)):
            raise InvalidName.at("name", f"{name!r} is taken in {file}")
        before = file.read_bytes() if file.exists() else b""
        line = ("\n" if before and not before.endswith(b"\n") else "") + f"{Key(name, role, _digest(secret))}\n"
        # One write to the end: a gateway that reads at this moment sees the whole line or none of it.
        target = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(target, line.encode())
            os.fsync(target)
        finally:
            os.close(target)
    return secret


def remove(file: Path, name: str) -> None:
    """Takes a key's line out; what else stands in the file stays as it is.

    Raises:
        NotFound: there is no key of that name. BadKeysFile: the file cannot be read.
    """
    with _alone(file):
        if all(key.name != name for key in read(file)):
            raise NotFound(f"There is no key {name!r} in {file}.")
        lines = file.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not _is_key(line) or _parse(line.strip()).name != name]
        _replace(file, "".join(kept))


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parse(line: str) -> Key:
    parts = line.split(":")
    if len(parts) != 3:
        raise ValueError(_LINE_TAKES)
    name, role, digest = parts
    if not _NAME.fullmatch(name):
        raise ValueError(f"{_LINE_TAKES}; {_NAME_TAKES}")
    if role not in {role.value for role in Role}:
        raise ValueError(f"{_LINE_TAKES}; the role is {' or '.join(Role)}")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{_LINE_TAKES}; SHA256 is 64 hexadecimal digits")
    return Key(name, Role(role), bytes.fromhex(digest))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _replace(file: Path, text: str) -> None:
    """Writes the file anew in one step, for the same reader: its mode and its owner stay, as far as we may."""
    before = file.stat()
    beside = file.with_name(f".{file.name}.new")
    beside.touch(0o600)
    beside.write_text(text, "utf-8")
    if hasattr(os, "chown"):  # not on Windows
        with suppress(PermissionError):
            os.chown(beside, before.st_uid, before.st_gid)
    beside.chmod(before.st_mode & 0o777)
    beside.replace(file)


def _state(file: Path) -> tuple[int, int, int] | None:
    """What tells one content of the file from the next; None where there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Of several programs that change the file, one at a time. The folder is locked: the file may be replaced."""
    try:
        import fcntl
    except ImportError:  # Windows, where nobody runs a gateway
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
