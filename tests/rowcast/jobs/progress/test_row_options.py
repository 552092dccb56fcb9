"""Options of single rows, while a worker of an older release is online."""

import pytest

from rowcast.errors import WorkersOutdated
from rowcast.jobs.progress.row_options import RowOptions
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.workers import Vitals, WorkerRegistry


def test_an_option_that_an_older_worker_would_ignore_is_refused(redis: RedisClient) -> None:
    workers = WorkerRegistry(redis)
    for node, pool in (("new:1", ""), ("old:2", ""), ("new:3", "heavy")):
        workers.heartbeat(node, 2, Vitals(5.0, None), pool)
    RowOptions(workers).require({"threshold", "top", "explain"}, "")
    redis.hdel("rowcast:worker:old:2", "row_options")  # as an older release writes it
    RowOptions(workers).require({"probabilities", "scores"}, "")
    RowOptions(workers).require({"top"}, "heavy")
    options = RowOptions(workers)
    with pytest.raises(WorkersOutdated, match="The worker old:2 is of an older release, and would ignore 'top'"):
        options.require({"probabilities", "top"}, "")
    workers.remove("old:2", 2)
    RowOptions(workers).require({"top"}, "")
