"""A service of a few lines that speaks HTTP on a real socket and fails as the test asks: a fake, not a mock."""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Handler"], None]


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    caller_port: int
    """Another one for each connection."""
    body: bytes = b""


class FakeService(ThreadingHTTPServer):
    """Sends what the contract says for a job that is always the same, after the faults that a test has laid out."""

    daemon_threads = True
    result = b"".join(b"%d,row,%d\r\n" % (number, number % 2) for number in range(40_000))
    bad_rows = b'row,column,value,message\n3,age,"x,y",not a number\n'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.faults: dict[str, list[Fault]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.statuses = ["queued", "running", "succeeded"]
        self.error: dict[str, Any] | None = None
        self.etag = '"' + hashlib.sha256(self.result).hexdigest() + '"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fails(self, call: str, *faults: Fault) -> None:
        """Makes the next calls of `METHOD /first-part[/result]` meet these faults, one each."""
        self.faults.setdefault(call, []).extend(faults)

    def job(self) -> dict[str, Any]:
        raw = {
            "id": str(uuid.uuid4()),
            "kind": "batch",
            "status": self.statuses[0],
            "model": {"name": "titanic", "version": "1"},
            "progress": {"rows_total": 40_000, "rows_done": 0, "rows_failed": 1},
            "options": {"delimiter": ",", "header": False},
            "error": None,
            "result": None,
        }
        self.jobs[raw["id"]] = raw
        return raw

    def advance(self, raw: dict[str, Any]) -> None:
        """Moves the job on by one status at each call."""
        if raw["status"] not in self.statuses:  # it was cancelled
            return
        at = self.statuses.index(raw["status"])
        raw["status"] = self.statuses[min(at + 1, len(self.statuses) - 1)]
        if raw["status"] == "failed":
            raw["error"] = self.error
        if raw["status"] == "succeeded":
            raw["progress"]["rows_done"] = 40_000

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of what is tested."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeService

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""

    def _go(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        _, port = self.client_address
        self.entry = Seen(self.command, parts.path, query, {k.lower(): v for k, v in self.headers.items()}, port)
        self.server.seen.append(self.entry)
        words = parts.path.strip("/").split("/")
        call = f"{self.command} /{words[0]}" + (f"/{words[2]}" if len(words) > 2 else "")
        faults = self.server.faults.get(call, [])
        if faults:
            faults.pop(0)(self)
            return
        self.read_body()
        getattr(self, f"_{self.command.lower()}")(words)

    do_GET = do_POST = do_DELETE = do_PATCH = do_HEAD = _go

    def read_body(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                self.entry.body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            length = int(self.headers.get("Content-Length", 0))
            self.entry.body = self.rfile.read(length)
            if len(self.entry.body) < length:
                raise ConnectionError("The client went away, so there is no request.")

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, status: int, value: object, **headers: str) -> None:
        self.answer(status, json.dumps(value).encode(), **headers)

    def _post(self, words: list[str]) -> None:
        if words[0] == "jobs":
            raw = self.server.jobs[words[1]]
            raw["status"] = "cancelled" if words[2] == "cancel" else "queued"
            self.answer_json(202, raw)
            return
        key = self.headers["Idempotency-Key"]
        raw = self.server.jobs[self.server.keys[key]] if key in self.server.keys else self.server.job()
        self.server.keys[key] = raw["id"]
        if "json" in (self.headers["Content-Type"] or "") and self.server.statuses == ["succeeded"]:
            self.answer_json(200, {"prediction": 0, "job": raw["id"]})
            return
        if "json" in (self.headers["Content-Type"] or ""):
            raw.update(kind="single", result={"prediction": 1, "probabilities": {"0": 0.25, "1": 0.75}})
        self.answer_json(202, raw)

    def _get(self, words: list[str]) -> None:
        if words == ["models"]:
            self.answer_json(200, {"models": [{"name": "titanic"}]})
        elif words == ["jobs"]:
            cursor = self.entry.query.get("cursor")
            jobs = list(self.server.jobs.values())
            if cursor and len(cursor) > 1:
                before = [self.server.jobs[id] for id in sorted(self.server.jobs, reverse=True) if id < cursor]
                self.answer_json(200, {"jobs": before[: int(self.entry.query["limit"])], "next": None})
                return
            page = cursor is not None
            half = jobs[2:] if page else jobs[:2]
            self.answer_json(200, {"jobs": half, "next": None if page else "/jobs?cursor=2"})
        elif words[1] not in self.server.jobs:
            problem(404, "The job does not exist.")(self)
        elif len(words) == 2:
            raw = self.server.jobs[words[1]]
            self.server.advance(raw)
            self.answer_json(200, raw)
        elif words[2] == "errors":
            self.answer(200, self.server.bad_rows)
        elif self.server.jobs[words[1]]["status"] != "succeeded":
            problem(409, "The job has no result.")(self)
        else:
            self.result()

    def _delete(self, words: list[str]) -> None:
        del self.server.jobs[words[1]]
        self.answer(204)

    def result(self, cut_after: int | None = None, **headers: str) -> None:
        """The result, or the range that was asked for; the connection breaks after `cut_after` bytes."""
        start, whole = 0, self.server.result
        if "range" in self.entry.headers and self.entry.headers.get("if-range") == self.server.etag:
            start = int(self.entry.headers["range"].removeprefix("bytes=").rstrip("-"))
            headers["Content_Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        self.send_response(206 if start else 200)
        for name, value in ({"ETag": self.server.etag, "Content_Length": str(len(whole) - start)} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(whole[start : None if cut_after is None else start + cut_after])
        if cut_after is not None:
            self.close_connection = True


def problem(status: int, detail: str, **headers: str) -> Fault:
    """Sends a problem document."""

    def fault(handler: Handler) -> None:
        handler.read_body()
        handler.answer_json(status, {"status": status, "title": "no", "detail": detail}, **headers)

    return fault


def hangs_up(handler: Handler) -> None:
    """Closes without a word."""
    handler.close_connection = True


def breaks_after(count: int, **headers: str) -> Fault:
    """Sends this number of bytes of the result, and closes."""
    return lambda handler: handler.result(cut_after=count, **headers)


def refuses_the_header(handler: Handler) -> None:
    """Reads the header line, answers 422, and closes with the rest unread: the kernel then resets the connection."""
    handler.rfile.readline()
    handler.answer_json(422, {"status": 422, "detail": "The header lacks 'age'."}, Connection="close")
    handler.close_connection = True
