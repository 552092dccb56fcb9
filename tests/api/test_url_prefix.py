"""A gateway below a path: every link that a caller gets starts with it, and only trusted proxies may name it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from programs import ROOT
from webhook_receiver import SECRET

from api.app import create_app
from api.url_prefix import prefix_of
from rowcast.errors import BadSetting
from rowcast.settings import Settings

CSV = "age,pclass\n25,3\n"
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def client_of(settings: Settings, trained: Path) -> MakeClient:
    """Makes a client of a gateway with these settings, without a server."""

    def client_of(**more: Any) -> FlaskClient:
        return create_app(settings.model_copy(update={"models": str(trained), **more})).test_client()

    return client_of


def send(client: FlaskClient, **headers: str) -> Any:
    return client.post("/predict", data=CSV, content_type="text/csv", headers=headers)


@pytest.mark.parametrize("way", ["setting", "header"])
def test_every_link_starts_with_the_prefix(client_of: MakeClient, way: str) -> None:
    client = client_of(url_prefix="/rowcast") if way == "setting" else client_of()
    headers = {} if way == "setting" else {"X-Forwarded-Prefix": "/rowcast/"}
    made, second = send(client, **headers), send(client, **headers)
    assert made.status_code == second.status_code == 202
    job = made.get_json()
    assert made.headers["Location"] == f"/rowcast/jobs/{job['id']}" == job["links"]["self"]
    assert all(link.startswith(f"/rowcast/jobs/{job['id']}") for link in job["links"].values())
    page = client.get("/jobs?limit=1", headers=headers).get_json()
    assert page["next"].startswith("/rowcast/jobs?cursor=")
    assert page["jobs"][0]["links"]["result"].startswith("/rowcast/")
    refused = client.get(f"/jobs/{job['id']}/result", headers=headers).get_json()
    assert refused["help"] == "/rowcast/docs/errors#job-unfinished"
    assert client.get("/openapi.json", headers=headers).get_json()["servers"] == [{"url": "/rowcast"}]
    assert client.get("/nowhere", headers=headers).get_json()["help"] == "/rowcast/docs/errors#unknown-path"


def test_a_job_with_a_webhook_keeps_the_prefix_of_its_request(client_of: MakeClient) -> None:
    """So its links are right in the body of the webhook, which no request asks for."""
    more = {"webhook_secret": SECRET, "webhook_private": True}
    client, headers = client_of(**more), {"X-Forwarded-Prefix": "/rowcast"}
    records = client.application.extensions["rowcast"].records
    body = {"features": [25, 3], "webhook": "http://127.0.0.1:1/"}
    kept = client.post("/predict", json=body, headers=headers).get_json()["id"]
    assert records.get(kept).spec.url_prefix == "/rowcast"
    plain = client.post("/predict", json={"features": [25, 3]}, headers=headers).get_json()["id"]
    assert records.get(plain).spec.url_prefix == ""
    setting = client_of(url_prefix="/mine", **more).post("/predict", json=body, headers=headers).get_json()["id"]
    assert records.get(setting).spec.url_prefix == "/mine"


def test_a_failed_jobs_error_has_its_help_below_the_prefix(client_of: MakeClient, settings: Settings) -> None:
    client = client_of(url_prefix="/rowcast")
    id = send(client).get_json()["id"]
    client.application.extensions["rowcast"].records.fail(id, {"type": "urn:rowcast:problem:bad-row", "detail": "x"})
    error = client.get(f"/jobs/{id}").get_json()["error"]
    assert (error["status"], error["help"]) == (422, "/rowcast/docs/errors#bad-row")
    assert client.get(f"/jobs/{id}/result").get_json()["error"] == error


def test_a_shortened_address_leads_to_the_first_page_below_the_prefix(client_of: MakeClient) -> None:
    assert client_of(url_prefix="/rowcast").get("/ui").headers["Location"] == "/rowcast/"


def test_pages_name_their_files_relatively() -> None:
    html = (ROOT / "api" / "pages" / "try.html").read_text()
    assert not re.search(r'(href|src)="(/|https?:)', html)


def test_a_proxy_may_leave_the_prefix_in_the_path(client_of: MakeClient) -> None:
    client = client_of(url_prefix="/rowcast")
    assert client.get("/rowcast/health").status_code == 200
    assert client.get("/health").status_code == 200
    assert client.get("/rowcastle/health").status_code == 404
    made = client.post("/rowcast/predict", data=CSV, content_type="text/csv")
    assert client.get(made.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("trusted", "address", "forwarded", "prefix"),
    [
        ("127.0.0.0/8,::1", "127.0.0.1", "/rowcast", "/rowcast"),
        ("127.0.0.0/8,::1", "127.8.0.1", "/a/b-c/", "/a/b-c"),
        ("127.0.0.0/8,::1", "::1", "/rowcast", "/rowcast"),
        ("127.0.0.0/8,::1", "::ffff:127.0.0.1", "/rowcast", "/rowcast"),
        ("127.0.0.0/8,::1", "10.0.0.1", "/rowcast", ""),
        ("10.0.0.0/8", "10.0.0.1", "/rowcast", "/rowcast"),
        ("10.0.0.0/8", "127.0.0.1", "/rowcast", ""),
        ("", "127.0.0.1", "/rowcast", ""),
        ("127.0.0.1", "", "/rowcast", ""),
        ("127.0.0.1", None, "/rowcast", ""),
        ("127.0.0.1", "127.0.0.1", None, ""),
        ("127.0.0.1", "127.0.0.1", "", ""),
        ("127.0.0.1", "127.0.0.1", "/", ""),
        ("127.0.0.1", "127.0.0.1", "rowcast", ""),
        ("127.0.0.1", "127.0.0.1", "//evil.example", ""),
        ("127.0.0.1", "127.0.0.1", "https://evil.example", ""),
        ("127.0.0.1", "127.0.0.1", '/a"><script>', ""),
        ("127.0.0.1", "127.0.0.1", "/a\r\nSet-Cookie: b", ""),
        ("127.0.0.1", "127.0.0.1", "/" + "a" * 300, ""),
    ],
)
def test_the_header_counts_if_it_is_a_path_and_comes_from_a_trusted_proxy(
    trusted: str, address: str | None, forwarded: str | None, prefix: str
) -> None:
    assert prefix_of(Settings(trusted_proxies=trusted), address, forwarded) == prefix


def test_the_setting_comes_before_the_header() -> None:
    assert prefix_of(Settings(url_prefix="/mine"), "127.0.0.1", "/theirs") == "/mine"


@pytest.mark.parametrize(
    ("name", "value"),
    [("url_prefix", "rowcast"), ("url_prefix", "/rowcast/"), ("url_prefix", "//x"), ("trusted_proxies", "localhost")],
)
def test_a_setting_that_does_not_fit_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"ROWCAST_{name.upper()}="):
        Settings.read(**{name: value})
