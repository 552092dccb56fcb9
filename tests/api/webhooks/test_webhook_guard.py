"""Where webhooks may lead: what is refused when a request is made, and names whose addresses change after that."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from dns_server import DnsServer, dns_server
from programs import SUPPORT, Stack, http_client, until
from refusals import GOOD, csv, refused
from webhook_receiver import SECRET, receiving

from rowcast.jobs.records.redis_keys import key

PUBLIC = "93.184.215.14"
ROW = {"features": [25, 3]}


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with dns_server() as server:
        server.addresses["public.test"] = [PUBLIC]
        yield server


def gateway_with(make_stack: Callable[..., Stack], dns: DnsServer, **settings: str) -> Stack:
    stack = make_stack(
        ROWCAST_WEBHOOK_SECRET=SECRET, PYTHONPATH=str(SUPPORT / "resolver"), TEST_DNS_PORT=str(dns.port), **settings
    )
    stack.start_gateway()
    return stack


@pytest.fixture(scope="module")
def strict(make_stack: Callable[..., Stack], dns: DnsServer) -> Stack:
    """A gateway that calls public addresses only."""
    return gateway_with(make_stack, dns)


@pytest.fixture
def client(strict: Stack) -> Iterator[httpx.Client]:
    with http_client(strict.url, timeout=30) as http:
        yield http


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://127.0.0.1/hook", "has a loopback address"),
        ("https://localhost/hook", "has a loopback address"),
        ("https://2130706433/", "has a loopback address"),
        ("https://0x7f.1/", "has a loopback address"),
        ("https://0177.0.0.1/", "is not a valid URL"),
        ("https://[::1]/", "has a loopback address"),
        ("https://10.0.0.8/", "has a private address"),
        ("https://[fd00::8]/", "has a private address"),
        ("https://169.254.169.254/latest/meta-data", "has a metadata address of a cloud"),
        ("https://0.0.0.0/", "has an unspecified address"),
        ("https://224.0.0.1/", "has a multicast address"),
        ("https://[::ffff:127.0.0.1]/", "has an IPv4-mapped address"),
        ("https://[64:ff9b::a9fe:a9fe]/", "has a NAT64 address"),
        ("https://[2002:7f00:1::]/", "has a 6to4 address"),
        ("https://unknown.test/hook", "'unknown.test' does not exist"),
        ("http://public.test/hook", "http:// needs ROWCAST_WEBHOOK_PRIVATE=true"),
        ("ftp://public.test/", "must be an absolute URL that begins with https://"),
        ("public.test/hook", "must be an absolute URL"),
        ("https:///hook", "must be an absolute URL"),
        ("https://public.test:0/", "has a port that does not exist"),
        ("https://public.test:99999/", "has a port that does not exist"),
        ("https://exa mple/", "does not exist"),
        ("https://[::1/", "is not a valid URL"),
        ("https://public.test/\nX: 1", "is not a valid URL"),
        ("", "at least 1 character"),
        ("https://public.test/" + "x" * 2048, "at most 2048 characters"),
    ],
)
def test_a_url_that_must_not_be_called_is_refused_with_the_reason(client: httpx.Client, url: str, words: str) -> None:
    for response in (client.post("/predict", json={**ROW, "webhook": url}), csv(client, GOOD, webhook=url)):
        problem = refused(response, 422, words)
        assert problem["errors"][0]["where"] == "webhook"
    assert client.get("/jobs").json()["jobs"] == []


def test_one_refused_address_among_others_is_enough(client: httpx.Client, dns: DnsServer) -> None:
    dns.addresses["mixed.test"] = [PUBLIC, "10.0.0.8"]
    problem = refused(client.post("/predict", json={**ROW, "webhook": "https://mixed.test/"}), 422)
    assert problem["type"] == "urn:rowcast:problem:webhook-refused"
    assert "10.0.0.8" not in problem["detail"], "callers could find out the addresses of names inside"


def test_other_doors_check_the_url_as_well(client: httpx.Client) -> None:
    url = "https://127.0.0.1/hook"
    upload = client.post("/uploads", params={"webhook": url}, headers={"Content-Type": "text/csv"})
    form = client.post("/predict", files={"file": ("in.csv", GOOD)}, data={"webhook": url})
    check = csv(client, GOOD, webhook=url, dry_run="true")
    for response in (upload, form, check):
        refused(response, 422, "has a loopback address")


def test_a_webhook_does_not_go_with_reuse(client: httpx.Client) -> None:
    refused(csv(client, GOOD, webhook="https://public.test/", reuse="true"), 422, "cannot be combined with reuse")


def test_a_service_without_a_secret_says_what_is_missing(http: httpx.Client) -> None:
    response = http.post("/predict", json={**ROW, "webhook": "https://public.test/"})
    refused(response, 422, "ROWCAST_WEBHOOK_SECRET", "whsec_$(openssl rand -base64 32)")


def test_a_name_that_changes_to_a_loopback_address_is_not_called(
    client: httpx.Client, strict: Stack, dns: DnsServer
) -> None:
    dns.addresses["rebound.test"] = [PUBLIC]
    with socket.create_server(("127.0.0.1", 0)) as inside:
        url = f"https://rebound.test:{inside.getsockname()[1]}/hook"
        id = client.post("/predict", json={**ROW, "webhook": url}).json()["id"]
        dns.addresses["rebound.test"] = ["127.0.0.1"]
        assert client.post(f"/jobs/{id}/cancel").status_code == 202
        until(lambda: client.get(f"/jobs/{id}").json()["webhook"]["last_attempt"], "an attempt was made")
        found = client.get(f"/jobs/{id}").json()["webhook"]
        assert (found["state"], found["last_attempt"]["status"]) == ("pending", None)
        assert found["last_attempt"]["error"] == "the host has a loopback address, and was not called"
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()
    assert "webhook_attempt_failed" in strict.log("gateway")


def test_a_connection_goes_to_the_address_that_was_checked(make_stack: Callable[..., Stack], dns: DnsServer) -> None:
    """The name is resolved once for each connection, so there is no second answer that could differ."""
    dns.addresses["inside.test"] = ["127.0.0.1"]
    stack = gateway_with(make_stack, dns, ROWCAST_WEBHOOK_PRIVATE="true")
    with receiving() as receiver, http_client(stack.url, timeout=30) as client:
        for metadata in ("http://169.254.169.254/", "http://[fd00:ec2::254]/"):
            refused(client.post("/predict", json={**ROW, "webhook": metadata}), 422, "a metadata address of a cloud")
        url = receiver.url("/ok", "inside.test")
        id = client.post("/predict", json={**ROW, "webhook": url}).json()["id"]
        assert dns.asked["inside.test"] == 1
        client.post(f"/jobs/{id}/cancel")
        got = receiver.next()
        assert got.headers["host"] == f"inside.test:{receiver.port}"
        assert (got.job()["id"], got.job()["status"]) == (id, "cancelled")
        assert dns.asked["inside.test"] == 2
        until(lambda: not stack.redis.zrange(key("webhooks"), 0, -1), "it is delivered")
        dns.addresses["inside.test"] = ["127.0.0.1", "169.254.169.254"]
        other = client.post("/predict", json={**ROW, "webhook": receiver.url("/ok")}).json()["id"]
        refused(client.post("/predict", json={**ROW, "webhook": url}), 422, "a metadata address of a cloud")
        client.delete(f"/jobs/{other}")
        assert receiver.received.empty(), "a deleted job is not delivered"
    stack.stop_all()


def test_the_certificate_must_be_that_of_the_name(
    make_stack: Callable[..., Stack], dns: DnsServer, tmp_path: Path
) -> None:
    certificate, private_key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=inside.test"
    files = ["-addext", "subjectAltName=DNS:inside.test", "-keyout", private_key, "-out", certificate]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private_key)
    dns.addresses |= {"inside.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]}
    stack = gateway_with(make_stack, dns, ROWCAST_WEBHOOK_PRIVATE="true", SSL_CERT_FILE=str(certificate))
    with receiving(tls) as receiver, http_client(stack.url, timeout=30) as client:

        def first_attempt(host: str) -> dict:
            url = f"https://{host}:{receiver.port}/ok"
            id = client.post("/predict", json={**ROW, "webhook": url}).json()["id"]
            client.post(f"/jobs/{id}/cancel")
            until(lambda: client.get(f"/jobs/{id}").json()["webhook"]["last_attempt"], "an attempt was made")
            return client.get(f"/jobs/{id}").json()["webhook"]["last_attempt"]

        assert first_attempt("inside.test")["status"] == 200
        assert receiver.next().job()["status"] == "cancelled"
        error = first_attempt("other.test")["error"]
        assert error.startswith("the certificate is not valid: ")
        assert "other.test" in error
        assert receiver.received.empty()
    stack.stop_all()
