import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from programs import until

from rowcast.cli.main import main
from rowcast.jobs.records.redis_keys import key
from rowcast.local.data_folder import DataFolder, FolderTaken
from rowcast.local.embedded_redis import EmbeddedRedis, redis_of_stopped_service
from rowcast.local.stale_processes import VARIABLE
from rowcast.models.model_manifest import Draft
from rowcast.models.registry import Registry
from rowcast.storage import Storage

Serve = Callable[[EmbeddedRedis], "subprocess.Popen[bytes]"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, and waits until each answers."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(embedded: EmbeddedRedis) -> "subprocess.Popen[bytes]":
        begun.append(embedded.start())
        until(embedded.answers, "the server answers")
        return begun[-1]

    yield start
    for process in begun:
        process.terminate()
        process.wait()


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedRedis:
    folder = tmp_path / 'a "folder" with spaces'
    folder.mkdir()
    return EmbeddedRedis(folder, os.environ | {VARIABLE: "run redis /data"})


def test_what_was_acknowledged_outlives_a_kill_and_the_address_stays(embedded: EmbeddedRedis, serve: Serve) -> None:
    first = serve(embedded)
    url = embedded.url
    with redis.Redis.from_url(url) as client:
        client.set("job", "done")
    first.kill()
    first.wait()
    serve(embedded)
    assert embedded.url == url
    with redis.Redis.from_url(url) as client:
        assert client.get("job") == b"done"


def test_it_is_durable_evicts_nothing_and_asks_for_its_password(embedded: EmbeddedRedis, serve: Serve) -> None:
    process = serve(embedded)
    with redis.Redis.from_url(embedded.url) as client:
        held = {name: client.config_get(name)[name] for name in ("appendfsync", "appendonly", "maxmemory-policy")}
    assert held == {"appendfsync": "always", "appendonly": "yes", "maxmemory-policy": "noeviction"}
    stranger = embedded.url.split("@")[1]
    with redis.Redis.from_url(f"redis://{stranger}") as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    password = embedded.url.split(":")[2].split("@")[0]
    assert password not in " ".join(psutil.Process(process.pid).cmdline())


def test_a_later_up_can_find_it_by_its_mark(embedded: EmbeddedRedis, serve: Serve) -> None:
    process = serve(embedded)
    assert psutil.Process(process.pid).environ()[VARIABLE] == "run redis /data"


def test_the_jobs_of_a_service_that_does_not_run_keep_the_versions_that_they_need(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ROWCAST_REDIS_URL", "ROWCAST_STORE", "ROWCAST_MODELS"):
        monkeypatch.delenv(name, raising=False)
    folder = DataFolder(tmp_path / "data")
    registry = Registry(Storage(str(folder.models)))
    for _ in range(4):
        registry.register("m", b"", Draft(task="regression", features=[], libraries={}))
    stopped = EmbeddedRedis(folder.redis, dict(os.environ))
    process = serve(stopped)
    with redis.Redis.from_url(stopped.url) as client:
        client.hset(key("job", "a"), mapping={"status": "queued", "kind": "single", "model": "m@2"})
        client.hset(key("job", "b"), mapping={"status": "succeeded", "kind": "single", "model": "m@1"})
        client.hset(key("job", "c"), mapping={"status": "expired", "kind": "batch", "model": "m@1,n@1"})
    process.terminate()
    process.wait()
    assert main(["models", "prune", "m", "--keep", "1", "--yes", "--data", str(folder.path)]) == 0
    assert "does not run" in capsys.readouterr().err
    assert registry.versions("m") == ["2", "4"]
    with folder.locked(), pytest.raises(FolderTaken), redis_of_stopped_service(folder.path):
        pass


def test_another_server_on_its_port_is_not_taken_for_it(embedded: EmbeddedRedis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        embedded._port = other.getsockname()[1]
        other.settimeout(5)

        import threading

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"-ERR AUTH <password> called without any password configured\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert not embedded.answers()
        thread.join()
