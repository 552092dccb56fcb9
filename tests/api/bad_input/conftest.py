"""After each bad input nothing is left behind, and the next request is served."""

from collections.abc import Iterator

import httpx
import pytest

from rowcast.jobs.records.redis_keys import key


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(gateway, http: httpx.Client) -> Iterator[None]:
    def left() -> tuple[list[str], set[bytes]]:
        names = {name for name in gateway.redis.keys("*") if name != key("totals").encode()}
        return gateway.files(), names

    before = left()
    yield
    assert left() == before, "files or keys were left behind"
    assert http.get("/health").json() == {"status": "API is running"}
