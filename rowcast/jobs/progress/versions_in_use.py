"""The versions of models that jobs still need: of unfinished ones, and of batches that can be repaired or retried."""

from collections import Counter
from collections.abc import Iterator

from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, UploadField
from rowcast.jobs.request import StoredRequest
from rowcast.jobs.states import Status, UploadState

_AT_A_TIME = 500


def versions_in_use(redis: RedisClient) -> Counter[str]:
    """Returns `NAME@VERSION` → number of jobs and open resumable uploads that need it. Reads every record.

    A single job needs its version until it has ended, and a batch until its files are gone: a repair and a retry score
    with the same version.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    found: Counter[str] = Counter()
    with redis_errors():
        for names in _pages(redis, key("job", "*")):
            with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hmget(name, [JobField.STATUS, JobField.KIND, JobField.MODEL])
                for status, kind, models in pipe.execute():
                    found.update(_needed(status, kind, models))
        for names in _pages(redis, key("upload", "*")):
            for name in names:
                state, request = redis.hmget(name, [UploadField.STATE, UploadField.REQUEST])
                if state == UploadState.OPEN.encode() and request:
                    found.update(StoredRequest.model_validate_json(request).model.split(","))
    return found


def _pages(redis: RedisClient, pattern: str) -> Iterator[list[str]]:
    """Returns the names of hashes, some at a time; each at least once. Tables of a job have longer names."""
    parts = pattern.count(":")
    page: list[str] = []
    seen: set[str] = set()  # a scan may return a key twice
    for found in redis.scan_iter(pattern, count=_AT_A_TIME, _type="hash"):
        name = found.decode()
        if name.count(":") == parts and name not in seen:
            seen.add(name)
            page.append(name)
        if len(page) == _AT_A_TIME:
            yield page
            page = []
    if page:
        yield page


def _needed(status: bytes | None, kind: bytes | None, models: bytes | None) -> list[str]:
    """Returns the versions that a job with this record needs."""
    if status is None or not models or status in (Status.EXPIRED.encode(), Status.DELETED.encode()):
        return []
    if kind == b"single" and Status(status.decode()).is_terminal:
        return []
    return models.decode().split(",")
