"""What a storage makes of a bucket that hangs, throttles, or refuses. No server is needed: the proxy answers."""

from collections.abc import Iterator

import pytest
from buckets import Bucket

from rowcast.errors import StoreRefuses, StoreUnavailable
from rowcast.settings import Settings
from rowcast.storage import Storage, bucket


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    served = Bucket(0, is_azure=False)
    for name, value in served.variables.items():
        monkeypatch.setenv(name, value)
    yield served
    served.stop()


def test_a_bucket_that_hangs_is_asked_twice_and_costs_a_chunk_less_than_its_time(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls_of_a_chunk = 2
    longest = bucket.RETRY_SECONDS + bucket.SILENT_SECONDS
    assert calls_of_a_chunk * longest < Settings.model_fields["chunk_timeout_seconds"].default
    monkeypatch.setattr(bucket, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(bucket, "RETRY_SECONDS", 0.3)
    storage = Storage("s3://jobs/p")
    for call in (lambda: storage.get("a"), lambda: storage.put("a", b"x"), lambda: list(storage.entries("jobs"))):
        with s3.broken() as fault, pytest.raises(StoreUnavailable) as raised:
            call()
        assert (fault.met, raised.value.public) == (2, "The store cannot be reached, read or written.")


def test_settings_of_http_are_read_from_the_environment(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_USER_AGENT", "ours")
    with s3.broken(status=403), pytest.raises(StoreRefuses):
        Storage("s3://jobs/p").get("a")
    assert s3.requests[-1][2]["user-agent"] == "ours"


def test_objects_are_encrypted_with_the_key_and_at_the_address_that_the_environment_names(
    s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("SERVER_SIDE_ENCRYPTION", "aws:kms"), ("SSE_KMS_KEY_ID", "ours")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")  # the endpoint has the bucket's name already
    with s3.broken(status=403), pytest.raises(StoreRefuses):
        Storage("s3://jobs/p").put("a", b"x")
    method, path, headers = s3.requests[-1]
    assert (method, path) == ("PUT", "/p/a")
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "ours"


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "ExpiredToken", "have expired (ExpiredToken)"),
        (403, "InvalidAccessKeyId", "refuses the credentials of the service (InvalidAccessKeyId)"),
        (403, "AuthorizationPermissionMismatch", "refuses the credentials"),
        (401, "NoAuthenticationInformation", "refuses the credentials"),
        (400, "InvalidAuthenticationInfo", "refuses the credentials"),
        (403, "RequestTimeTooSkewed", "a clock is wrong"),
        (404, "NoSuchBucket", "does not exist"),
    ],
)
def test_a_refusal_is_tried_once_and_says_what_is_refused(s3: Bucket, status: int, code: str, says: str) -> None:
    storage = Storage("s3://jobs/p")
    for call in (lambda: storage.get("a"), lambda: list(storage.entries("jobs"))):
        with s3.broken(status=status, code=code) as fault, pytest.raises(StoreRefuses) as raised:
            call()
        assert (says in raised.value.public, fault.met) == (True, 1), raised.value.public
        assert s3.url not in raised.value.public
        assert s3.url in raised.value.detail


@pytest.mark.parametrize("status", [429, 503])
def test_throttling_is_tried_again_and_says_so_if_it_stays(
    s3: Bucket, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "RETRIES", 2)
    with s3.broken(status=status, code="TooMany") as fault, pytest.raises(StoreUnavailable) as raised:
        Storage("s3://jobs/p").get("a")
    assert (fault.met, raised.value.public) == (3, "The store takes no more requests at the moment (TooMany).")


def test_a_missing_object_of_a_bucket_is_no_fault_of_it(s3: Bucket) -> None:
    with s3.broken(status=404, code="NoSuchKey"), pytest.raises(FileNotFoundError):
        Storage("s3://jobs/p").get("a")


def test_a_service_without_credentials_says_so(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", s3.url)
    with s3.broken(status=404), pytest.raises(StoreRefuses, match="no credentials") as raised:
        Storage("s3://jobs/p").get("a")
    assert "renewed by itself" in raised.value.detail
