"""A receiver of OTLP over HTTP, as a collector is one: it keeps the spans that programs export."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass
class ReceivedSpan:
    name: str
    kind: str
    trace_id: str
    id: str
    parent: str
    service: str
    failed: bool
    message: str
    began: int
    ended: int
    links: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.attributes.get(name)


class Receiver:
    """Takes spans at `url`. Read them in `spans`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.spans: list[ReceivedSpan] = []

    def of_job(self, id: str, name: str | None = None) -> list[ReceivedSpan]:
        """Returns the spans in the traces of a job, in order of their beginning."""
        traces = {span.trace_id for span in self.spans if span["rowcast.job.id"] == id}
        found = [span for span in self.spans if span.trace_id in traces and name in (None, span.name)]
        return sorted(found, key=lambda span: span.began)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(span, service) for span in scope.spans]


def _span(span: Span, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        span.name,
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        service,
        span.status.code == Status.STATUS_CODE_ERROR,
        span.status.message,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        [link.trace_id.hex() for link in span.links],
        _attributes(span.attributes),
    )


def _attributes(found: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in found}


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_spans = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
            if is_spans:
                receiver.take(body)
            self.send_response(200 if is_spans else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
