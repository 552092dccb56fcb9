"""The settings: a value that does not fit is named, unless it is a secret. Secrets come from files, too."""

import re
from pathlib import Path

import pytest

from rowcast.errors import BadSetting
from rowcast.redis_access.redis_url import read_redis_url
from rowcast.secret_files import SECRETS, file_variable, variable
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


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        (f"redis+sentinel://:{PASSWORD}@host,other", "master is missing, the name of the primary"),
        (f"redis+sentinel://:{PASSWORD}@host:port,other/0?master=rowcast", "takes redis+sentinel://"),
        (f"redis+sentinel://:{PASSWORD}@host,,other/0?master=rowcast", "takes redis+sentinel://"),
        (f"redis://:{PASSWORD}@host?master=rowcast", "takes master only with redis+sentinel://"),
        (f"redis://:{PASSWORD}@host?ssl_ca_certs=ca.pem", "takes ssl_ca_certs only with rediss://"),
        (f"rediss://:{PASSWORD}@host?ssl_ca_certs=/missing/ca.pem", "names /missing/ca.pem, which cannot be read"),
        (f"redis://:{PASSWORD}@host?retries=3", "has an unknown option; it takes db"),
    ],
)
def test_an_option_of_a_redis_url_that_does_not_fit_is_named(url: str, fix: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(fix)) as caught:
        Settings.read(redis_url=url)
    assert PASSWORD not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis+sentinel://user:{PASSWORD}@host,[::1]:1/2?master=rowcast&sentinel_password=x", "redis://rowcast/2"),
        (f"rediss://user:{PASSWORD}@host:1/2", "redis://host:1/2"),
        ("unix:///run/redis.sock?db=1", "redis://localhost"),
    ],
)
def test_celery_shows_where_redis_is_and_no_password(url: str, shown: str) -> None:
    address = read_redis_url(Settings.read(redis_url=url).redis_url)
    assert address.shown == shown
    assert address.sentinels == ((("host", 26379), ("::1", 1)) if "sentinel" in url else ())


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


VALUES = {"redis_url": f"redis://:{PASSWORD}@host:1/2", "model_key": PASSWORD, "webhook_secret": f"whsec_{'A' * 32}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_a_file_without_its_line_end(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    file.write_bytes((VALUES[name] + end).encode())
    monkeypatch.setenv(file_variable(name), str(file))
    assert getattr(Settings.read(), name) == VALUES[name]
    assert name in Settings.read().model_fields_set


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_and_its_file_are_not_set_together(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    file.write_text(VALUES[name])
    monkeypatch.setenv(file_variable(name), str(file))
    monkeypatch.setenv(variable(name), VALUES[name])
    with pytest.raises(BadSetting) as caught:
        Settings.read()
    says = f"{file_variable(name)}={file} is not valid: {variable(name)} is set as well; set only one of them"
    assert caught.value.detail == says


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "the file cannot be read: No such file or directory"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff\xfe", "the file cannot be read: not UTF-8"),
    ],
)
def test_a_file_without_a_secret_is_one_clear_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
) -> None:
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("ROWCAST_MODEL_KEY_FILE", str(file))
    with pytest.raises(BadSetting) as caught:
        Settings.read()
    assert caught.value.detail == f"ROWCAST_MODEL_KEY_FILE={file} is not valid: {says}"


@pytest.mark.parametrize("name", ["redis_url", "webhook_secret"])
def test_a_secret_in_a_file_that_does_not_fit_is_not_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file.write_text(f"http://:{PASSWORD}@host")
    monkeypatch.setenv(file_variable(name), str(file))
    with pytest.raises(BadSetting) as caught:
        Settings.read()
    assert caught.value.detail.startswith(f"{file_variable(name)}={file} is not valid: the secret in the file ")
    assert PASSWORD not in caught.value.detail
    assert "\n" not in caught.value.detail
