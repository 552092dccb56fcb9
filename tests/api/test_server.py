"""The gateway's server at a stop: requests that are running end, and connections without one do not hold it up."""

import socket
import subprocess
import sys
from contextlib import ExitStack, closing

import pytest
from programs import ROOT

from rowcast.settings import Settings

BODY = b'{"features": [25, 3]}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def test_a_stop_ends_connections_without_a_request_and_waits_for_requests(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis_url", "store", "models"):
        monkeypatch.setenv(f"ROWCAST_{name.upper()}", str(getattr(settings, name)))
    with ExitStack() as at_end:
        listener = at_end.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        command = [sys.executable, "-m", "api", "--fd", str(listener.fileno()), "--grace", "3600"]
        gateway = subprocess.Popen(command, cwd=ROOT, pass_fds=[listener.fileno()])
        at_end.callback(gateway.kill)
        idle, halved, busy = (
            at_end.enter_context(closing(socket.create_connection(listener.getsockname(), timeout=60)))
            for _ in range(3)
        )
        listener.close()
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(9999).startswith(b"HTTP/1.1 200")
        halved.sendall(b"GET /health HTTP/1.1\r\nHo")
        busy.sendall(HEAD % len(BODY) + BODY[:9])
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")  # answered after the others were read
        assert idle.recv(9999).startswith(b"HTTP/1.1 200")

        gateway.terminate()
        assert idle.recv(9999) == b""
        assert halved.recv(9999) == b""
        busy.sendall(BODY[9:])
        assert b"urn:rowcast:problem:no-default-model" in busy.makefile("rb").read()
        assert gateway.wait(timeout=60) == 0
