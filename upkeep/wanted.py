"""How many worker processes each pool wants: counted again in every round, and kept where autoscalers read it."""

from rowcast.jobs.progress.backlog import read_backlogs
from rowcast.jobs.progress.wanted_processes import wanted_processes
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings


def count_wanted(scripts: Scripts, settings: Settings) -> int:
    """Keeps as many members in `rowcast:wanted` as worker processes are wanted. Returns how many it has.

    KEDA and others read the size of this set. A member goes some time after it was last wanted. A pool has a set of its
    own, which is not part of what is returned.

    Raises:
        Unavailable: Redis cannot be reached; the next round counts again.
    """
    kept = {
        pool: scripts.want_processes(
            wanted_processes(backlog, settings.backlog_seconds), settings.scale_down_seconds, pool
        )
        for pool, backlog in read_backlogs(scripts.redis).items()
    }
    return kept[""]
