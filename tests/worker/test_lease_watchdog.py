"""The lease watchdog: which leases it renews, and how the kernel ends a process that it cannot end."""

import signal
import subprocess
import sys

from programs import until

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.job import ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowLease, WaitingRows
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings
from worker.lease_watchdog import LeaseWatchdog


def test_the_kernel_ends_a_predict_that_lets_no_other_thread_run() -> None:
    code = """
import ctypes
from worker import lease_watchdog
lease_watchdog._ALARM_SECONDS = 0.1
with lease_watchdog.LeaseWatchdog(None, 15, 0.1).holding([]):
    ctypes.PyDLL(None).sleep(1000)  # unlike CDLL, PyDLL keeps the interpreter's lock
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGALRM


def test_leases_of_interrupting_and_of_interrupted_work_are_renewed(redis: RedisClient, settings: Settings) -> None:
    records, leases = Records(Scripts(redis, settings), settings), Leases(Scripts(redis, settings), "node/1")

    def leased() -> RowLease:
        spec = Spec(kind="single", model=ModelRef(name="m", version="1"), options=Options())
        records.make(NewJob(new_id(), "", spec, 1, 1, values=[1]))
        found = leases.take(["rows"], 1)
        assert isinstance(found, WaitingRows)
        return found.rows[0]

    def is_renewed(*held: RowLease) -> None:
        redis.zadd(key("due"), {lease.member: 1 for lease in held})
        until(lambda: all(redis.zscore(key("due"), lease.member) > 1 for lease in held), "they are renewed")

    outer, inner = leased(), leased()
    watchdog = LeaseWatchdog(leases, lease_seconds=0.06, chunk_timeout_seconds=60)
    with watchdog.holding([outer]):
        is_renewed(outer)
        with watchdog.holding([inner]):
            is_renewed(outer, inner)
        leases.release([inner], {}, strikes=0)
        is_renewed(outer)
