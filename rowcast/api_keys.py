"""API keys: a file with a key in each line, `NAME:ROLE:SHA256` or `NAME:ROLE:SHA256:EXPIRES`.

It holds digests only, so it does not reveal the keys.
"""

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

from rowcast.errors import BadKeysFile, InvalidName, NotFound, OptionValue

PREFIX = "rc_"
CHECK_INTERVAL_SECONDS = 1.0
"""Least time between two checks whether the file has changed."""

_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LINE_FORMAT = "the line must have the form NAME:ROLE:SHA256 or NAME:ROLE:SHA256:EXPIRES"
_ROLE_FORMAT = "the role must be user or admin, or scopes with + between them: predict, read, models"
_NAME_FORMAT = "a name has 1 to 64 letters, digits, dots, hyphens and underscores; the first is a letter or digit"


class Scope(StrEnum):
    """What a key may do. Every key may look at models, at the counts of the queue and at its own jobs."""

    PREDICT = "predict"
    """Send rows and files, and change its own jobs."""
    READ = "read"
    """See all jobs and their results."""
    MODELS = "models"
    """Move aliases."""
    ADMIN = "admin"
    """All of this, change all jobs, and pause work."""


class Role(StrEnum):
    """Usual scopes: those of `user` are `predict`, those of `admin` are `admin`."""

    USER = "user"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes of the role."""
        return frozenset({Scope.PREDICT if self is Role.USER else Scope.ADMIN})


@dataclass(frozen=True)
class ApiKey:
    """One line of the file."""

    #: Owner of the key, for example `alice`; its jobs belong to this name.
    name: str
    #: What the key may do.
    scopes: frozenset[Scope]
    #: SHA-256 of the key as it is sent; 32 bytes.
    digest: bytes
    #: The last day on which the key is valid, in UTC; None if it does not expire.
    expires: date | None = None

    @property
    def role(self) -> str:
        """The name of the role with these scopes, or the scopes, for example `predict+read`."""
        named = [role.value for role in Role if role.scopes == self.scopes]
        return named[0] if named else "+".join(scope for scope in Scope if scope in self.scopes)

    def may(self, scope: Scope) -> bool:
        """Returns whether the key has the scope, or is an admin's."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def has_expired(self) -> bool:
        """Returns whether the key was valid only before today (UTC)."""
        return self.expires is not None and self.expires < datetime.now(UTC).date()

    def __str__(self) -> str:
        line = f"{self.name}:{self.role}:{self.digest.hex()}"
        return line if self.expires is None else f"{line}:{self.expires}"


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

    def refresh(self) -> dict[str, list[str]] | None:
        """Reads the file again if it has changed. Checks at most once a second.

        Returns the names of the keys that were `added`, `removed` and `changed`, or None if the file is the same.

        Raises:
            BadKeysFile: the changed file cannot be read. Raised once for each change; the known keys stay valid.
        """
        now = time.monotonic()
        if now < self._check_at:
            return None
        self._check_at = now + CHECK_INTERVAL_SECONDS
        state = _state(self._file)
        if state == self._seen:
            return None
        self._seen = state
        before, self._keys = self._keys, read(self._file)
        return _changes({key.name: key for key in before}, {key.name: key for key in self._keys})


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


def new(file: Path, name: str, role: str = Role.USER, expires: date | None = None) -> str:
    """Creates a key of 256 random bits, appends its line to the file, and returns the key, which is stored nowhere.

    Raises:
        InvalidName: the name is not valid, or is already in the file.
        OptionValue: there is no such role, or the key would have expired already.
        BadKeysFile: the file cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName.at("name", _NAME_FORMAT)
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    try:
        key = ApiKey(name, _scopes(role), _digest(secret), expires)
    except ValueError as error:
        raise OptionValue.at("role", str(error)) from None
    if key.has_expired():
        raise OptionValue.at("expires", f"{expires} has passed")
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file):
        if file.exists() and any(key.name == name for key in read(file)):
            raise InvalidName.at("name", f"{name!r} is already in {file}")
        before = file.read_bytes() if file.exists() else b""
        line = ("\n" if before and not before.endswith(b"\n") else "") + f"{key}\n"
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
    if len(parts) not in (3, 4):
        raise ValueError(_LINE_FORMAT)
    name, role, digest = parts[:3]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{_LINE_FORMAT}; {_NAME_FORMAT}")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{_LINE_FORMAT}; SHA256 must be 64 hexadecimal digits")
    try:
        return ApiKey(name, _scopes(role), bytes.fromhex(digest), _date(parts[3]) if len(parts) == 4 else None)
    except ValueError as error:
        raise ValueError(f"{_LINE_FORMAT}; {error}") from None


def _scopes(role: str) -> frozenset[Scope]:
    if role in set(Role):
        return Role(role).scopes
    try:
        return frozenset(Scope(scope) for scope in role.split("+"))
    except ValueError:
        raise ValueError(_ROLE_FORMAT) from None


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of UTC
    except ValueError:
        raise ValueError("EXPIRES must be a date, for example 2027-01-31") from None


def _changes(before: dict[str, ApiKey], after: dict[str, ApiKey]) -> dict[str, list[str]]:
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name, key in after.items() if before.get(name, key) != key],
    }


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
