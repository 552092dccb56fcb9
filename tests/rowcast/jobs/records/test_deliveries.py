"""Deliveries in Redis: they begin with the end of a job, are claimed by one gateway, and end with the job's record."""

import json
from dataclasses import replace

import pytest
from record_jobs import batch, lease_of, part, single

from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.webhook.delivery import Attempt, DeliveryState
from rowcast.settings import Settings

DAY_MS = 86_400_000
URL = "https://example.org/hook"
ATTEMPT = json.dumps(Attempt(at_ms=1, status=500, error=None))


@pytest.fixture
def scripts(redis: RedisClient, settings: Settings) -> Scripts:
    return Scripts(redis, settings)


def with_webhook(new: NewJob, **spec: object) -> NewJob:
    options = new.spec.options.model_copy(update={"webhook": URL})
    return replace(new, spec=new.spec.model_copy(update={"options": options, **spec}))


def made(records: Records, new: NewJob) -> str:
    return records.make(with_webhook(new))[0]


def state(records: Records, id: str) -> tuple:
    found = records.get(id).delivery
    assert found is not None
    return found.state, found.attempts


def due(redis: RedisClient) -> list[bytes]:
    return redis.zrange(key("webhooks"), 0, -1)


def test_a_job_without_a_webhook_has_nothing_to_deliver(records: Records, redis: RedisClient) -> None:
    id = records.make(single())[0]
    records.cancel(id)
    assert records.get(id).delivery is None
    assert due(redis) == []


@pytest.mark.parametrize("new", [single(), batch(1)], ids=["single", "batch"])
def test_a_delivery_begins_with_the_end_and_is_claimed_once(records: Records, scripts: Scripts, new: NewJob) -> None:
    id = made(records, new)
    assert state(records, id) == (DeliveryState.WAITING, 0)
    assert scripts.claim_deliveries(10) == []
    records.cancel(id)
    assert state(records, id) == (DeliveryState.PENDING, 0)
    (claimed,) = scripts.claim_deliveries(10)
    assert (claimed.id, claimed.end, claimed.attempt) == (id, 1, 1)
    assert scripts.claim_deliveries(10) == []
    assert scripts.settle_delivery(claimed, DeliveryState.DELIVERED, ATTEMPT)
    assert state(records, id) == (DeliveryState.DELIVERED, 1)
    assert not scripts.settle_delivery(claimed, DeliveryState.FAILED, ATTEMPT)


def test_a_failed_attempt_is_due_again_after_its_pause(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    id = made(records, single())
    records.cancel(id)
    (claimed,) = scripts.claim_deliveries(10)
    assert scripts.settle_delivery(claimed, DeliveryState.PENDING, ATTEMPT, 60_000)
    assert scripts.claim_deliveries(10) == []
    found = records.get(id).delivery
    assert found is not None
    assert found.last == json.loads(ATTEMPT)
    assert found.next_ms
    redis.zadd(key("webhooks"), {id: 0})
    assert scripts.claim_deliveries(10)[0].attempt == 2


def test_a_delivery_is_given_up_a_day_after_the_end(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    id = made(records, single())
    records.cancel(id)
    for delay_ms, wanted in ((DAY_MS - 60_000, DeliveryState.PENDING), (DAY_MS + 1, DeliveryState.FAILED)):
        redis.zadd(key("webhooks"), {id: 0})
        (claimed,) = scripts.claim_deliveries(10)
        assert scripts.settle_delivery(claimed, DeliveryState.PENDING, ATTEMPT, delay_ms) == wanted
        assert state(records, id)[0] == wanted
    assert due(redis) == []


def test_what_was_put_back_counts_as_no_attempt(records: Records, scripts: Scripts) -> None:
    id = made(records, single())
    records.cancel(id)
    (claimed,) = scripts.claim_deliveries(10)
    assert scripts.settle_delivery(claimed, DeliveryState.PENDING)
    assert state(records, id) == (DeliveryState.PENDING, 0)


def test_a_claim_that_ran_out_settles_nothing(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    id = made(records, single())
    records.cancel(id)
    (lost,) = scripts.claim_deliveries(10)
    redis.zadd(key("webhooks"), {id: 0})
    (claimed,) = scripts.claim_deliveries(10)
    redis.zadd(key("webhooks"), {id: int(claimed.token) + 5})
    claimed = claimed._replace(token=str(int(claimed.token) + 5))
    assert not scripts.settle_delivery(lost, DeliveryState.FAILED, ATTEMPT)
    assert scripts.settle_delivery(claimed, DeliveryState.DELIVERED, ATTEMPT)


def test_a_retry_drops_what_is_not_delivered_and_its_end_is_another(
    records: Records, scripts: Scripts, leases: Leases, redis: RedisClient
) -> None:
    id = made(records, batch(1))
    records.cancel(id)
    (claimed,) = scripts.claim_deliveries(10)
    records.retry(id)
    assert due(redis) == []
    assert state(records, id) == (DeliveryState.WAITING, 0)
    assert not scripts.settle_delivery(claimed, DeliveryState.DELIVERED, ATTEMPT)
    leases.commit(lease_of(leases, id, 0), part(), {})
    assert [(one.id, one.end, one.attempt) for one in scripts.claim_deliveries(10)] == [(id, 2, 1)]


def test_a_deleted_job_is_not_delivered(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    id = made(records, single())
    records.delete(id)
    assert due(redis) == []
    other = made(records, single())
    records.cancel(other)
    (claimed,) = scripts.claim_deliveries(10)
    records.delete(other)
    assert not scripts.settle_delivery(claimed, DeliveryState.PENDING, ATTEMPT, 1)
    assert due(redis) == []


def test_a_delivery_whose_record_has_expired_is_dropped(scripts: Scripts, redis: RedisClient) -> None:
    redis.zadd(key("webhooks"), {"gone": 0})
    assert scripts.claim_deliveries(10) == []
    assert due(redis) == []


def test_a_clock_that_is_set_back_delays_no_delivery(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    id = made(records, single())
    records.cancel(id)
    redis.zadd(key("webhooks"), {id: 2**52})
    assert [one.id for one in scripts.claim_deliveries(10)] == [id]


def test_the_job_of_a_check_delivers_nothing(records: Records, redis: RedisClient) -> None:
    id = records.make(with_webhook(batch(1), is_check=True))[0]
    records.cancel(id)
    assert due(redis) == []
