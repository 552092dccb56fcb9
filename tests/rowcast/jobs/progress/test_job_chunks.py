"""The state of each chunk, and of groups of chunks."""

from record_jobs import PROBLEM, batch, lease_of, part

from rowcast.jobs.chunk_tables import HISTORY_ENTRY_BYTES
from rowcast.jobs.progress.job_chunks import ChunkProgress, read_chunks, read_groups
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key


def states(redis: RedisClient, records: Records, id: str) -> list[str]:
    return [chunk.state for chunk in read_chunks(redis, records.get(id), 0, 100)]


def test_each_chunk_has_its_state_rows_attempts_and_worker(
    redis: RedisClient, records: Records, leases: Leases, other: Leases
) -> None:
    new = batch(chunks=6)
    records.make(new)
    leases.release([lease_of(leases, new.id, 0)], PROBLEM, strikes=STRIKES_OF_ERROR)
    leases.commit(lease_of(leases, new.id, 0), part(failed=2), {})
    lease_of(other, new.id, 1)
    first, second, third, *_, last = read_chunks(redis, records.get(new.id), 0, 100)
    assert first.seconds is not None
    assert second.seconds is not None
    assert first == ChunkProgress(0, 1, 10, "done", 2, 2, "node/1", first.seconds)
    assert second == ChunkProgress(1, 11, 10, "running", 0, 1, "node/2", second.seconds)
    assert third == ChunkProgress(2, 21, 10, "waiting", 0, 0, None, None)
    assert last == ChunkProgress(5, 51, 10, "waiting", 0, 0, None, None)


def test_pages_are_parts_of_the_whole(redis: RedisClient, records: Records, leases: Leases) -> None:
    new = batch(chunks=7)
    records.make(new)
    for chunk in (0, 1, 2, 3):
        leases.commit(lease_of(leases, new.id, chunk), part(), {})
    job = records.get(new.id)
    whole = read_chunks(redis, job, 0, 7)
    assert [one for first in range(0, 9, 3) for one in read_chunks(redis, job, first, 3)] == whole
    assert [chunk.chunk for chunk in whole] == list(range(7))
    assert read_chunks(redis, job, 10**9, 3) == []


def test_the_chunk_that_failed_the_job_is_named_until_a_retry(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=3)
    records.make(new)
    for _ in range(3):
        leases.release([lease_of(leases, new.id, 1)], PROBLEM, strikes=STRIKES_OF_ERROR)
    assert states(redis, records, new.id) == ["dropped", "failed", "dropped"]
    assert [group.has_failed for group in read_groups(redis, records.get(new.id), 3)] == [False, True, False]
    records.retry(new.id)
    assert states(redis, records, new.id) == ["waiting"] * 3


def test_a_large_job_is_shown_in_groups(redis: RedisClient, records: Records, leases: Leases, other: Leases) -> None:
    new = batch(chunks=10_000)
    records.make(new)
    leases.commit(lease_of(leases, new.id, 0), part(failed=3), {})
    leases.release([lease_of(leases, new.id, 1)], PROBLEM, strikes=STRIKES_OF_ERROR)
    lease_of(other, new.id, 1)
    groups = read_groups(redis, records.get(new.id), 64)
    assert len(groups) == 64
    assert sum(group.chunks for group in groups) == 10_000
    first = groups[0]
    assert (first.first, first.last, first.done, first.running) == (0, 156, 1, 1)
    assert (first.rows_failed, first.tried_again) == (3, 1)
    assert all(group.done == group.running == 0 for group in groups[1:])
    assert len(redis.getrange(key("history", new.id), 0, -1)) == HISTORY_ENTRY_BYTES  # it grows with what is scored


def test_a_job_from_before_the_history_shows_what_is_known(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=2)
    records.make(new)
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    redis.delete(key("history", new.id), key("holders", new.id))  # type: ignore[attr-defined]
    chunk = read_chunks(redis, records.get(new.id), 0, 1)[0]
    assert chunk == ChunkProgress(0, 1, 10, "done", 0, 0, None, None)


def test_an_expired_job_has_no_chunks_and_no_history(redis: RedisClient, records: Records, leases: Leases) -> None:
    new = batch(chunks=1)
    records.make(new)
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    leases._scripts.expire(new.id)
    assert read_chunks(redis, records.get(new.id), 0, 10) == read_groups(redis, records.get(new.id), 10) == []
    assert not list(redis.scan_iter(f"{key('history', new.id)}"))
