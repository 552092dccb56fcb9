"""Spans of OpenTelemetry, which a thread sends to the endpoint in batches. Only imported if an endpoint is set."""

import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.status import Status, StatusCode

from rowcast.tracing.spans import Attribute, Kind, Tracer
from rowcast.tracing.trace_context import TraceContext
from rowcast.version import VERSION

_CLOSE_SECONDS = 2.0
"""How long the end of a process waits until the last spans are sent."""

_SERVICE_VERSION = "service.version"


class RecordedSpan:
    """A span of OpenTelemetry (`rowcast.tracing.spans.Span`)."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The context for what this step leads to."""
        context = self._span.get_span_context()
        is_sampled = bool(context.trace_flags.sampled)
        return str(TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", is_sampled))

    def set(self, name: str, value: Attribute | None) -> None:
        """Sets an attribute; None sets nothing."""
        if value is not None:
            self._span.set_attribute(name, value)

    def fail(self, why: str) -> None:
        """Marks the step as failed."""
        self._span.set_status(Status(StatusCode.ERROR, why))

    def end(self) -> None:
        """Ends the step."""
        self._span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(f"{type(error).__name__}: {error}")
        self.end()


class OtelTracer(Tracer):
    """Begins spans of OpenTelemetry."""

    is_on = True

    def __init__(self, program: str) -> None:
        # What the variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes first.
        named = Resource({SERVICE_NAME: f"rowcast-{program}", _SERVICE_VERSION: VERSION})
        told = Resource.create()
        if str(told.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            told = told.merge(named)
        self._provider = TracerProvider(resource=told, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("rowcast", VERSION)

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: str,
        attributes: Mapping[str, Attribute] | None = None,
        links: Iterable[str] = (),
    ) -> RecordedSpan:
        """Begins a span, as the sampler says recorded or not."""
        above = _context(parent)
        context = Context() if above is None else set_span_in_context(NonRecordingSpan(above), Context())
        linked = [Link(one) for one in map(_context, links) if one is not None]
        kinds = SpanKind[kind.upper()]
        return RecordedSpan(self._tracer.start_span(name, context, kinds, attributes, linked))

    def close(self) -> None:
        """Sends what is not sent yet. If the endpoint does not answer, it is given up."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def _context(traceparent: str) -> SpanContext | None:
    found = TraceContext.read(traceparent)
    if found is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if found.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(found.trace_id, 16), int(found.span_id, 16), is_remote=True, trace_flags=flags)
