"""The worker's main process can fork: before it does, it starts no thread and leaves no connection open."""

import os
import subprocess
import sys

from record_jobs import batch, lease_of

from rowcast.compiled_cache import VARIABLE
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import STRIKES_OF_DEATH
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings
from worker import app


def test_importing_the_tasks_and_loading_compiled_functions_starts_no_thread() -> None:
    code = (
        "import worker.app, os; from rowcast.compiled_cache import main;"
        "print(main(), len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded, threads = done.stdout.splitlines()
    assert loaded.endswith((f" into {os.environ[VARIABLE]}.", f"{os.environ[VARIABLE]} is complete."))
    assert threads == "0 1"


def test_a_worker_releases_what_a_killed_one_with_its_name_had(redis: RedisClient, settings: Settings) -> None:
    """As in a container that is started again. It does so before it forks, so it must leave no connection open."""
    scripts, new = Scripts(redis, settings), batch()
    Records(scripts, settings).make(new)
    before, other = Leases(scripts, f"{app._node()}/7"), Leases(scripts, "another:1/7")
    lease_of(before, new.id, 0)
    lease_of(other, new.id, 1)
    clients = len(redis.client_list())
    app.release_all_leases(settings, strikes=STRIKES_OF_DEATH)
    again = lease_of(before, new.id, 0)
    assert (again.attempt, again.strikes) == (2, STRIKES_OF_DEATH)
    assert other.chunk(new.id, 0) == "busy"
    assert lease_of(other, new.id, 1).attempt == 1
    assert len(redis.client_list()) == clients
