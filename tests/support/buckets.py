"""A bucket to store in: a server that speaks S3 (moto) or Azure's protocol (Azurite), and a proxy in front of it.

The proxy breaks on demand, and notes the requests that it has seen.
"""

import base64
import hashlib
import hmac
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from programs import free_port, until

NAME = "jobs"
AZURITE = "azurite-blob"

_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's account, which its documentation names."""


@dataclass
class Fault:
    """What happens to requests in place of their answer."""

    status: int = 0
    """The status that is answered; 0 answers nothing, and cuts the connection when the fault ends."""
    code: str = ""
    """The code in the body, for example `SlowDown`."""
    message: str = "As the test asked for."
    """The message in the body."""
    delay_seconds: float = 0
    """How long each request waits. With `status` 0 and a delay, it is forwarded then."""
    cut_bytes: int = 0
    """If set, the answer is cut after this number of bytes of its body."""
    method: str = ""
    """The method of the requests that are affected; empty for all."""
    path: str = ""
    """What the path of the requests contains that are affected."""
    times: int = 1_000_000
    """How many requests it happens to."""
    every: int = 1
    """It happens to every second, third … of these requests only."""
    seen: int = 0
    """How many such requests there were."""
    met: int = 0
    """How many requests it has happened to."""
    ended: threading.Event = field(default_factory=threading.Event)

    def takes(self, method: str, path: str) -> bool:
        if self.method not in ("", method) or self.path not in path or self.ended.is_set():
            return False
        self.seen += 1
        happens = self.seen % self.every == 0 and self.met < self.times
        self.met += happens
        return happens


class Bucket:
    """The bucket `jobs` behind the proxy."""

    def __init__(self, target: int, *, is_azure: bool) -> None:
        self.target, self.is_azure = target, is_azure
        self.fault = Fault(times=0)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path with query, and headers of what came, in order."""
        self.conditions = threading.Lock()
        """Held while a request with a condition is answered."""
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def location(self) -> str:
        return f"{'az' if self.is_azure else 's3'}://{NAME}"

    @property
    def signed(self) -> str:
        """What a presigned URL has, but no request of the service itself."""
        return "sig=" if self.is_azure else "X-Amz-Signature="

    @property
    def variables(self) -> dict[str, str]:
        """The environment with which obstore reaches it."""
        if self.is_azure:
            return {
                "AZURE_STORAGE_ENDPOINT": f"{self.url}/{_ACCOUNT}",
                "AZURE_ALLOW_HTTP": "true",
                "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            }
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests-secret",
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Listens (again) at its port."""
        bucket = self

        class Handler(_Forwarding):
            pass

        Handler.bucket = bucket
        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuses connections from now on, and cuts those there are."""
        self._server.shutdown()
        self._server.server_close()
        self._server.cut()

    @contextmanager
    def out(self) -> Iterator[None]:
        """Makes an outage: connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def broken(self, **fault: object) -> Iterator[Fault]:
        """Requests meet a `Fault` with these fields."""
        self.fault = Fault(**fault)  # type: ignore[arg-type]
        try:
            yield self.fault
        finally:
            self.fault.ended.set()
            self.fault = Fault(times=0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: object) -> None:
        self.open: set[object] = set()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def cut(self) -> None:
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(2)  # type: ignore[attr-defined]

    def handle_error(self, *_: object) -> None:
        """Logs nothing: the other side may cut a connection."""


class _Forwarding(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    bucket: Bucket

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        self.server.open.discard(self.connection)  # type: ignore[attr-defined]
        super().finish()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.bucket.requests.append((self.command, self.path, headers))
        fault, cut_bytes = self.bucket.fault, None
        if fault.takes(self.command, self.path):
            if not fault.status and not fault.delay_seconds and not fault.cut_bytes:
                fault.ended.wait(600)
                self.close_connection = True
                return
            fault.ended.wait(fault.delay_seconds)
            if fault.status:
                self._answer(fault.status, {"Content-Type": "application/xml"}, _error(fault))
                return
            cut_bytes = fault.cut_bytes or None
        # moto compares the ETag and writes in two steps, which S3 does in one
        with self.bucket.conditions if {"if-match", "if-none-match"} & headers.keys() else nullcontext():
            server = HTTPConnection("127.0.0.1", self.bucket.target)
            try:
                server.request(self.command, self.path, body, dict(self.headers))
                answer = server.getresponse()
                content = answer.read()
            finally:
                server.close()
        self._answer(answer.status, dict(answer.getheaders()), content, cut_bytes)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, cut_bytes: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        lengths = [value for name, value in headers.items() if name.lower() == "content-length"]
        self.send_header("Content-Length", lengths[0] if self.command == "HEAD" and lengths else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut_bytes])
        self.wfile.flush()
        self.close_connection |= cut_bytes is not None


def _error(fault: Fault) -> bytes:
    text = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>"
    return f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode()


@contextmanager
def serving_s3(folder: Path) -> Iterator[Bucket]:
    """Serves a bucket with moto until the end of the block. The server's log is in the folder."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request"}
    with _serving(folder / "moto.log", command, f"http://127.0.0.1:{port}/{NAME}", lambda: signed):
        bucket = Bucket(port, is_azure=False)
        yield bucket
        bucket.stop()


@contextmanager
def serving_azure(folder: Path) -> Iterator[Bucket]:
    """Serves a container with Azurite until the end of the block. The server's log is in the folder."""
    port = free_port()
    command = [str(shutil.which(AZURITE)), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command += ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    path = f"/{_ACCOUNT}/{NAME}"
    with _serving(folder / "azurite.log", command, f"http://127.0.0.1:{port}{path}?restype=container", _azure_headers):
        bucket = Bucket(port, is_azure=True)
        yield bucket
        bucket.stop()


@contextmanager
def _serving(log: Path, command: list[str], url: str, headers: Callable[[], dict[str, str]]) -> Iterator[None]:
    """Runs a server in which a PUT to the URL makes the bucket."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until(lambda: _makes(url, headers()), "the server of buckets answers")
        yield
    finally:
        process.kill()
        process.wait()


def _makes(url: str, headers: dict[str, str]) -> bool:
    with suppress(httpx.TransportError), httpx.Client(verify=False) as http:
        return http.put(url, headers=headers).is_success
    return False


def _azure_headers() -> dict[str, str]:
    """Returns the headers that make a container: the request is signed with the account's key."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    text = "PUT" + "\n" * 12 + f"{named}/{_ACCOUNT}/{_ACCOUNT}/{NAME}\nrestype:container"
    signature = hmac.digest(base64.b64decode(_KEY), text.encode(), hashlib.sha256)
    return headers | {"Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(signature).decode()}"}
