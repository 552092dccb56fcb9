"""How many worker processes are wanted: counted again in every round, and kept where autoscalers read it."""

from rowcast.jobs.progress.backlog import read_backlog
from rowcast.jobs.progress.wanted_processes import wanted_processes
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings


def count_wanted(scripts: Scripts, settings: Settings) -> int:
    """Keeps as many members in `rowcast:wanted` as worker processes are wanted. Returns how many it has.

    KEDA and others read the size of this set. A member goes some time after it was last wanted.

    Raises:
        Unavailable: Redis cannot be reached; the next round counts again.
    """
    number = wanted_processes(read_backlog(scripts.redis), settings.backlog_seconds)
    return scripts.want_processes(number, settings.scale_down_seconds)
