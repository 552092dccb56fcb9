"""The settings: a value that does not fit is named, unless it is a secret."""

import pytest

from rowcast.errors import BadSetting
from rowcast.settings import Settings

PASSWORD = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{PASSWORD}@host:6379",
        f"redis//:{PASSWORD}@host",
        f":{PASSWORD}@host",
        f"redis://:{PASSWORD}/x@host/0",
        f"redis://user:x@{PASSWORD}@host:port",
        f"redis:/host?password={PASSWORD}&db=1",
    ],
)
def test_a_malformed_redis_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.read(redis_url=url)
    assert caught.value.detail.startswith("ROWCAST_REDIS_URL=")
    assert "host" in caught.value.detail
    assert PASSWORD not in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("url", ["redis://host", "rediss://user:a%2Fb@host:1/2", "unix:///run/redis.sock?db=1"])
def test_a_redis_url_that_can_be_read_is_taken_as_it_is(url: str) -> None:
    assert Settings.read(redis_url=url).redis_url == url


@pytest.mark.parametrize("secret", [PASSWORD, f"whsec_{PASSWORD}", "whsec_c2hvcnQ=", f"whsec_{'A' * 43}=,{PASSWORD}"])
def test_a_secret_for_webhooks_that_does_not_fit_is_not_shown(secret: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.read(webhook_secret=secret)
    assert caught.value.detail.startswith("ROWCAST_WEBHOOK_SECRET=*** is not valid")
    assert PASSWORD not in caught.value.detail
    assert "24 to 64 bytes in Base64" in caught.value.detail


def test_secrets_for_webhooks_are_read_with_blanks_around_them() -> None:
    assert Settings.read(webhook_secret=f"whsec_{'A' * 43}= , whsec_{'A' * 32}").webhook_keys == (bytes(32), bytes(24))


def test_another_value_that_does_not_fit_is_shown() -> None:
    with pytest.raises(BadSetting, match="ROWCAST_MAX_JOBS=many is not valid"):
        Settings.read(max_jobs="many")
