import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rowcast.local.readiness import ask


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_service_without_a_model_serves(server: HTTPServer) -> None:
    checks = {name: {"ok": True} for name in ("redis", "store", "workers")}
    server.body = json.dumps({"ready": False, "checks": checks | {"models": {"ok": False, "detail": "none"}}}).encode()
    found = ask(f"http://127.0.0.1:{server.server_port}")
    assert found.serves([])
    assert not found.has_model
    assert found.missing == {"models": "none"}


def test_a_service_is_ready_when_each_pool_of_it_has_a_worker(server: HTTPServer) -> None:
    checks = {name: {"ok": True} for name in ("redis", "store", "models")}
    workers = {"ok": True, "online": 1, "pools_without_worker": [None, "heavy"], "detail": "no worker is online for"}
    server.body = json.dumps({"ready": True, "checks": checks | {"workers": workers}}).encode()
    found = ask(f"http://127.0.0.1:{server.server_port}")
    assert [found.serves([pool]) for pool in ("", "heavy", "idle")] == [False, False, True]
    assert found.missing == {"workers": "no worker is online for"}


def test_a_service_without_workers_does_not(server: HTTPServer) -> None:
    checks = {name: {"ok": True} for name in ("redis", "store", "models")}
    server.body = json.dumps({"ready": False, "checks": checks | {"workers": {"ok": False, "online": 0}}}).encode()
    assert not ask(f"http://127.0.0.1:{server.server_port}").serves([])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"ready": true}'])
def test_another_program_on_the_port_is_not_ready(server: HTTPServer, body: bytes) -> None:
    server.body = body
    assert not ask(f"http://127.0.0.1:{server.server_port}").serves([])
    assert "gateway" in ask("http://127.0.0.1:1").missing
