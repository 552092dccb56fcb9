"""What the tests of jobs share: the records, the uploads, and the leases of two processes."""

import pytest

from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.settings import Settings


@pytest.fixture
def uploads(redis: RedisClient, settings: Settings) -> Uploads:
    return Uploads(Scripts(redis, settings), settings)


@pytest.fixture
def records(redis: RedisClient, settings: Settings) -> Records:
    return Records(Scripts(redis, settings), settings)


@pytest.fixture
def leases(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/1")


@pytest.fixture
def other(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/2")
