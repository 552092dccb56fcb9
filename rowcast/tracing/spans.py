"""Spans: the steps of a trace with their times, exported by OpenTelemetry if an endpoint is set, and otherwise free.

Messages of the queue are made by scripts in Redis, which no instrumentation of a library sees. So every span is begun
here, with a parent that came in a header or with a job.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["server", "producer", "consumer", "internal"]
Attribute = str | int | float | bool


class Span(Protocol):
    """One step. A block that is left by an exception marks it as failed; in any case it is over then."""

    @property
    def traceparent(self) -> str:
        """The context for what this step leads to, as a header `traceparent`."""

    def set(self, name: str, value: Attribute | None) -> None:
        """Sets an attribute; None sets nothing."""

    def fail(self, why: str) -> None:
        """Marks the step as failed."""

    def end(self) -> None:
        """Ends the step."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _NoSpan:
    """A span that is not recorded. What it leads to has the parent that it would have."""

    def __init__(self, parent: str) -> None:
        self.traceparent = parent

    def set(self, name: str, value: Attribute | None) -> None:
        pass

    def fail(self, why: str) -> None:
        pass

    def end(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Tracer:
    """Begins spans. `is_on` is False if none is recorded; then a span costs a fraction of a microsecond."""

    is_on = False

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: str,
        attributes: Mapping[str, Attribute] | None = None,
        links: Iterable[str] = (),
    ) -> Span:
        """Begins a span.

        Args:
            name: What the step does, for example `score chunk`.
            kind: As OpenTelemetry names it.
            parent: Context of the step above as a `traceparent`; empty if a trace begins.
            attributes: What is known of the step.
            links: Contexts of other steps that led to this one.
        """
        return _NoSpan(parent)

    def close(self) -> None:
        """Sends what is not sent yet, for at most two seconds. Processes that are killed lose the last five."""
