"""Many jobs, and one of very many chunks: the counts are right, and what each costs in Redis stays small."""

import httpx
import pytest
from programs import Stack, until
from scored import assert_whole, submit

from rowcast.errors import QueueFull
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings

JOBS = 10_000
"""As many as may live."""
PROCESSES = 2
CHUNKS = 100_000
MODEL = ModelRef(name="fixed", version="1")


def single(owner: str, age: int) -> NewJob:
    return NewJob(new_id(), owner, Spec(kind="single", model=MODEL, options=Options()), 1, 1, values=[age])


def test_twenty_thousand_rows_never_send_more_messages_than_processes(own_stack: Stack, http: httpx.Client) -> None:
    """Half of them wait for a worker, and one more would be refused; the others come while it works."""
    redis, messages = own_stack.redis, set()
    settings = Settings.read(redis_url=own_stack.redis_url)
    records = Records(Scripts(redis, settings), settings)
    ids = []

    def look() -> None:
        messages.add(max(redis.llen(key("single")), redis.llen(key("batch"))))

    for number in range(JOBS):
        ids.append(records.make(single("", number % 60))[0])
    look()  # once, because no message is received yet
    refused = http.post("/predict", json={"features": [1], "model": "fixed"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    own_stack.start_worker()
    more = Records(Scripts(redis, settings), settings.model_copy(update={"max_jobs": 2 * JOBS + 1}))
    for number in range(JOBS):
        ids.append(more.make(single("", number % 60))[0])
        look()
    file = submit(http, "fixed")
    until(lambda: look() or redis.hget(key("live"), "*") == b"0", "all have ended")
    assert max(messages) <= PROCESSES
    totals = redis.hgetall(key("totals"))
    assert (totals[b"jobs_accepted"], totals[b"jobs_succeeded"]) == (b"%d" % (2 * JOBS + 1),) * 2
    for number in range(0, 2 * JOBS, 97):  # no multiple of 60: every age is among them
        assert records.get(ids[number]).result == {"prediction": int(number % JOBS % 60 > 30)}
    assert_whole(own_stack, http, file)


def test_a_job_of_a_hundred_thousand_chunks_costs_little_and_keeps_its_window(
    redis: RedisClient, settings: Settings
) -> None:
    records, leases = Records(Scripts(redis, settings), settings), Leases(Scripts(redis, settings), "a/1")
    columns = InputInfo(bytes=CHUNKS, sha256="ab", filename=None, columns=("age",))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns)
    new = NewJob(new_id(), "", spec, CHUNKS, CHUNKS, plan=pack_plan(PlanEntry(n + 1, 1, 1) for n in range(CHUNKS)))
    before = redis.info("memory")["used_memory"]
    records.make(new)
    for chunk in range(2_000):
        assert redis.hlen(key("in_flight", new.id)) == redis.zcard(key("ready_chunks")) == 4
        assert redis.llen(key("batch")) == 1
        lease = leases.chunk(new.id, chunk)
        assert isinstance(lease, ChunkLease)
        assert leases.commit(lease, PartEntry(b"d" * 16, 1, 0, 1, 0), {"classes": {"0": 1}}) == "counted"
    assert (redis.info("memory")["used_memory"] - before) / CHUNKS < 100, "bytes a chunk"
    assert records.get(new.id).rows_done == 2_000
    records.cancel(new.id)
    records.retry(new.id)
    assert redis.hlen(key("in_flight", new.id)) == 4
    records.delete(new.id)
    assert not redis.exists(key("in_flight", new.id), key("plan", new.id), key("parts", new.id), key("due"))


def test_more_jobs_than_may_be_are_refused_one_key_at_a_time(redis: RedisClient, settings: Settings) -> None:
    settings = settings.model_copy(update={"max_jobs": 3, "max_jobs_per_key": 2})
    records = Records(Scripts(redis, settings), settings)

    def make(owner: str) -> None:
        records.make(single(owner, 1))

    make("a")
    make("a")
    with pytest.raises(QueueFull, match="ROWCAST_MAX_JOBS_PER_KEY"):
        make("a")
    make("b")
    with pytest.raises(QueueFull, match=r"ROWCAST_MAX_JOBS\b"):
        make("c")
