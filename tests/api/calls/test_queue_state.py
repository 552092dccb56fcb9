"""Pausing through the gateway: what is shown, and what is refused."""

from collections.abc import Iterator

import httpx
import pytest
from metrics import samples, total
from refusals import refused

from rowcast import Client

ROW = {"features": [25, 3]}


@pytest.fixture(autouse=True)
def _nothing_stays_paused(http: httpx.Client) -> Iterator[None]:
    yield
    http.post("/queue/resume")


def test_every_view_of_the_queue_shows_a_pause(http: httpx.Client) -> None:
    before = http.get("/ready")
    paused = http.post("/queue/pause", params={"model": "titanic@production"}).json()
    assert ([one["what"] for one in paused["paused"]], paused["running"]) == (["model titanic@1"], 0)
    assert http.get("/queue").json()["paused"] == http.get("/queue/pauses").json()["paused"] == paused["paused"]
    ready = http.get("/ready")
    assert (ready.status_code, ready.json()["paused"]) == (before.status_code, ["model titanic@1"])
    assert "rowcast resume --model titanic@1" in http.get("/ui/queue").text
    found = samples(http)
    assert total(found, "rowcast_paused", what="model titanic@1") == 1
    assert total(found, "rowcast_paused", what="all") == 0
    assert http.post("/queue/resume", params={"model": "titanic@1"}).json() == {"paused": [], "running": 0}
    assert "paused" not in http.get("/ready").json()


def test_a_row_is_accepted_and_its_wait_ends_with_202(http: httpx.Client) -> None:
    http.post("/queue/pause", params={"queue": "single"})
    answer = http.post("/predict", params={"wait": 0.1}, json=ROW)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


def test_a_pause_of_what_there_is_not_is_refused(http: httpx.Client) -> None:
    for parameters, status, words in (
        ({"model": "titanik"}, 404, "titanic"),
        ({"model": "titanic@7"}, 404, "titanic"),
        ({"queue": "rows"}, 422, "takes batch or single"),
        ({"queue": "batch", "model": "titanic"}, 422, "cannot be combined"),
        ({"modell": "titanic"}, 422, "does not exist"),
    ):
        refused(http.post("/queue/pause", params=parameters), status, words)
    assert http.get("/queue/pauses").json()["paused"] == []


def test_the_client_pauses_and_resumes(http: httpx.Client) -> None:
    with Client(str(http.base_url)) as client:
        client.pause()
        client.pause(queue="batch")
        assert [one["what"] for one in client.pauses()["paused"]] == ["all", "batch"]
        assert [one["what"] for one in client.resume(queue="batch")["paused"]] == ["all"]
        assert client.resume() == {"paused": [], "running": 0}
