"""The export of spans: whether it is wanted and possible, and the tracer of a process."""

import os
from importlib.util import find_spec

from rowcast.tracing.spans import Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_PROTOCOL = "http/protobuf"


def why_not_exported() -> str | None:
    """Returns why no spans are exported although an endpoint is set, as a sentence; None if nothing is wrong."""
    endpoint = _endpoint()
    if endpoint is None:
        return None
    if not all(map(_is_installed, _MODULES)):
        return f"{endpoint} is set, but OpenTelemetry is not installed: pip install 'rowcast[otel]'"
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _PROTOCOL)
    return None if protocol == _PROTOCOL else f"traces are exported by {_PROTOCOL}, and not by {protocol}"


def open_tracer(program: str) -> Tracer:
    """Returns the tracer of a process. Call it after a fork, as it starts a thread if spans are exported.

    OpenTelemetry's own variables set everything: endpoint, headers, sampler, the name of the service. A service without
    a name is called `rowcast-PROGRAM`.
    """
    if _endpoint() is None or why_not_exported() is not None:
        return Tracer()
    from rowcast.tracing.otel_tracer import OtelTracer

    return OtelTracer(program)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def _endpoint() -> str | None:
    """Returns the variable that names the endpoint; None if there is none, or if OpenTelemetry is turned off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    return next((name for name in _ENDPOINTS if os.environ.get(name)), None)
