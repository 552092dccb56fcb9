"""`/metrics` and `/metrics/cluster`, which Prometheus reads."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, disable_created_metrics, generate_latest

from api.input.option_parsing import query_flag
from api.metrics.cluster_collector import ClusterCollector
from api.openapi.call_types import Answer, Call, documented, query
from api.services import current_services
from rowcast.errors import OptionValue, Unavailable
from rowcast.jobs.progress.cluster_metrics import read_cluster_metrics
from rowcast.pools import read_pools

blueprint = Blueprint("metrics", __name__)
disable_created_metrics()  # type: ignore[no-untyped-call] # nothing reads when each label was first seen

TEXT = {"text/plain": None}


@blueprint.get("/metrics")
@documented(
    Call(
        "service",
        {200: Answer("The metrics, in Prometheus's text format.", TEXT)},
        (OptionValue, Unavailable),
        (query("all", "Also those of `/metrics/cluster`. For a service with one gateway.", type="boolean"),),
    )
)
def gateway_metrics() -> Response:
    """Returns the metrics of the gateway that answers: its requests, processor time and memory."""
    own = generate_latest(current_services().metrics.registry)
    return _answer(own + _of_cluster() if query_flag("all") else own)


@blueprint.get("/metrics/cluster")
@documented(Call("service", {200: Answer("The metrics, in Prometheus's text format.", TEXT)}, (Unavailable,)))
def cluster_metrics() -> Response:
    """Returns the metrics of the whole service, which every gateway shows alike: jobs, rows, chunks, queue, workers."""
    return _answer(_of_cluster())


def _of_cluster() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    services = current_services()
    pools = read_pools(services.settings.pools).names
    registry.register(ClusterCollector(read_cluster_metrics(services.redis, pools)))
    return generate_latest(registry)


def _answer(text: bytes) -> Response:
    return Response(text, content_type=CONTENT_TYPE_LATEST)
