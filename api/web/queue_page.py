"""The page about the queue: what waits, the workers and what they do, and how many rows were scored lately."""

from flask import Blueprint, Response, g

from api.services import current_services
from api.web.pages import page
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.pools import read_pools

blueprint = Blueprint("queue_page", __name__, url_prefix="/ui/queue")


@blueprint.get("")
def show_queue() -> Response:
    """Returns the page. Jobs of other API keys are not named on it, but count."""
    services = current_services()
    queue = read_queue(services.redis, g.scope, read_pools(services.settings.pools).names)
    return page("queue.html", queue=queue, unopenable=services.workers.unopenable())
