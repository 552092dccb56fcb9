"""`rowcast audit`, on a real server."""

import json

import pytest

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.job import ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings


@pytest.fixture(autouse=True)
def _one_job(redis: RedisClient, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec(kind="single", model=ModelRef(name="m", version="1"), options=Options())
    Records(Scripts(redis, settings), settings).make(NewJob(new_id(), "", spec, 1, 1, values=[1]))
    monkeypatch.setenv("ROWCAST_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("ROWCAST_STORE", settings.store)


def test_the_audit_counts_and_says_that_everything_adds_up(rowcast) -> None:
    done = rowcast("audit")
    assert (done.returncode, done.stderr) == (0, b"Everything adds up.\n")
    assert done.stdout.splitlines() == [
        b"accepted\t1\t1", b"succeeded\t0\t0", b"failed\t0\t0", b"cancelled\t0\t0", b"queued\t1\t1", b"running\t0\t0",
    ]  # fmt: skip


def test_the_audit_says_what_does_not_add_up_and_exits_with_1(rowcast, redis: RedisClient) -> None:
    redis.hincrby(key("totals"), "rows_accepted", 2)
    done = rowcast("audit")
    assert (done.returncode, done.stderr) == (1, b"Found 1 mismatch.\n")
    assert b"1 job (3 rows) were accepted, but 1 job (1 row) are accounted for." in done.stdout


def test_the_audit_speaks_json(rowcast, redis: RedisClient) -> None:
    document = json.loads(rowcast("audit", "--json").stdout)
    assert (document["adds_up"], document["findings"]) == (True, [])
    assert document["counts"]["accepted"] == {"jobs": 1, "rows": 1}
    redis.delete(key("live"))
    done = rowcast("audit", "--json")
    finding, _ = json.loads(done.stdout)["findings"]
    assert (done.returncode, finding["job"]) == (1, None)


def test_an_audit_without_redis_exits_with_3(rowcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWCAST_REDIS_URL", "redis://127.0.0.1:1/0")
    done = rowcast("audit")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"Redis cannot be reached" in done.stderr
