"""The metrics of one gateway process: its requests, and the process itself."""

from collections.abc import Callable, Iterator

from flask import Response, request
from prometheus_client import GC_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rowcast.storage import Disk

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper limits of the buckets, in seconds. A request that waits for a job takes as long as the job."""

_UNKNOWN_ROUTE = "(unknown)"
"""What stands for every path that no call has, so that callers cannot make new labels."""


class GatewayMetrics:
    """Counts the requests of this process. Prometheus adds up those of all gateways."""

    def __init__(self) -> None:
        #: What `/metrics` shows.
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(GC_COLLECTOR)
        self._requests = Counter(
            "rowcast_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "rowcast_http_request_seconds",
            "From the head of a request to the head of its response.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._sent = Counter(
            "rowcast_http_response_bytes",
            "Bytes of responses whose length was known.",
            ("route",),
            registry=self.registry,
        )
        self._in_progress = Gauge(
            "rowcast_http_requests_in_progress", "Requests whose response has not begun.", registry=self.registry
        )
        self._store_errors = Counter(
            "rowcast_gateway_store_errors", "Calls of this gateway that the store failed.", registry=self.registry
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram, Counter]] = {}

    def begin(self) -> None:
        """Counts a request that has arrived."""
        self._in_progress.inc()

    def end(self, response: Response, seconds: float) -> None:
        """Counts a request whose response begins, `seconds` after its head arrived."""
        route = request.url_rule.rule if request.url_rule else _UNKNOWN_ROUTE
        requests, times, sent = self._of(request.method if request.url_rule else "", route, response.status_code)
        requests.inc()
        times.observe(seconds)
        if response.content_length:
            sent.inc(response.content_length)

    def show_disk(self, disk: Callable[[], Disk | None]) -> None:
        """Shows the space of the store's file system, which `disk` returns, if it has one."""
        self.registry.register(_DiskCollector(disk))

    def count_store_error(self) -> None:
        """Counts that the store failed a call. It may be called from any thread."""
        self._store_errors.inc()

    def leave(self) -> None:
        """Counts that a request is over, with a response or without one."""
        self._in_progress.dec()

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter]:
        """Returns the counts of such requests. Finding them by their labels takes longer than counting."""
        known = self._known.get((method, route, status))
        if known is None:
            labelled = self._requests.labels(method, route, status), self._seconds.labels(method, route)
            known = self._known[method, route, status] = (*labelled, self._sent.labels(route))
        return known


class _DiskCollector(Collector):
    """Shows the space of the store's file system."""

    def __init__(self, disk: Callable[[], Disk | None]) -> None:
        self._disk = disk

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yields the metrics without values, so that no disk is looked at before Prometheus asks."""
        yield GaugeMetricFamily("rowcast_store_size_bytes", "Size of the file system of the store's folder.")
        yield GaugeMetricFamily("rowcast_store_free_bytes", "What is free of it.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yields the metrics; of a bucket there are none."""
        if disk := self._disk():
            for family, value in zip(self.describe(), disk, strict=True):
                family.add_metric([], value)
                yield family
