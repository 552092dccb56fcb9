"""`/jobs/ID/chunks`, `/jobs/ID/log` and `/queue`. The test is the worker."""

import httpx
import pytest
from programs import Stack
from record_jobs import PROBLEM, lease_of, part, rows_of
from scored import submit

from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings

ROWS = b"age,pclass\n" + b"25,3\n" * 3000
"""Three chunks."""


@pytest.fixture
def leases(gateway: Stack, settings: Settings) -> Leases:
    return Leases(Scripts(gateway.redis, settings), "node/7")


def test_chunks_come_in_pages_with_state_attempts_and_worker(http: httpx.Client, leases: Leases) -> None:
    id = submit(http, "titanic", ROWS)
    leases.release([lease_of(leases, id, 0)], PROBLEM, strikes=STRIKES_OF_ERROR)
    leases.commit(lease_of(leases, id, 0), part(1024, failed=2), {})
    lease_of(leases, id, 1)
    answer = http.get(f"/jobs/{id}/chunks", params={"limit": 2}).json()
    done, running = answer["chunks"]
    assert done.pop("seconds") >= 0
    assert running.pop("seconds") >= 0
    shared = {"worker": "node/7"}
    assert done == {
        "chunk": 0,
        "first_row": 1,
        "rows": 1024,
        "state": "done",
        "rows_failed": 2,
        "attempts": 2,
        **shared,
    }
    assert running == {
        **{"chunk": 1, "first_row": 1025, "rows": 1024, "state": "running", "rows_failed": 0, "attempts": 1},
        **shared,
    }
    assert answer["total"] == 3
    last = http.get(answer["next"]).json()
    assert [(chunk["chunk"], chunk["state"], chunk["worker"]) for chunk in last["chunks"]] == [(2, "waiting", None)]
    assert last["next"] is None
    http.delete(f"/jobs/{id}")


def test_the_log_has_times_events_and_words(http: httpx.Client, leases: Leases) -> None:
    id = submit(http, "titanic", ROWS)
    leases.release([lease_of(leases, id, 1)], PROBLEM, strikes=STRIKES_OF_ERROR)
    http.post(f"/jobs/{id}/cancel")
    log = http.get(f"/jobs/{id}/log").json()["log"]
    assert [entry["event"] for entry in log] == ["arriving", "created", "started", "error", "cancelled"]
    assert [entry["at"] for entry in log] == sorted(entry["at"] for entry in log)
    assert log[3]["chunk"] == 1
    assert log[3]["worker"] == "node/7"
    assert log[3]["message"].startswith("Chunk 1 could not be scored by node/7: it was lost")
    assert http.get(f"/jobs/{id}").json()["links"]["log"] == f"/jobs/{id}/log"
    http.delete(f"/jobs/{id}")


def test_a_single_row_has_a_log_and_no_chunks(http: httpx.Client, leases: Leases) -> None:
    id = http.post("/predict", json={"features": [25, 3]}).json()["id"]
    assert http.get(f"/jobs/{id}/chunks").json() == {"chunks": [], "total": 0, "next": None}
    assert [entry["event"] for entry in http.get(f"/jobs/{id}/log").json()["log"]] == ["created"]
    http.delete(f"/jobs/{id}")
    assert rows_of(leases) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=-1", "cursor=10000000000", "cursor="])
def test_a_page_that_cannot_be_is_refused(http: httpx.Client, query: str) -> None:
    id = submit(http, "titanic", ROWS)
    answer = http.get(f"/jobs/{id}/chunks?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == query.partition("=")[0]
    http.delete(f"/jobs/{id}")


def test_jobs_that_are_not_there_have_neither(http: httpx.Client) -> None:
    id = submit(http, "titanic", ROWS)
    http.delete(f"/jobs/{id}")
    for member in ("chunks", "log"):
        assert http.get(f"/jobs/{id}/{member}").status_code == 410
        assert http.get(f"/jobs/none/{member}").status_code == 404


def test_the_queue_shows_what_waits(http: httpx.Client) -> None:
    before = http.get("/queue").json()
    id = submit(http, "titanic", ROWS)
    after = http.get("/queue").json()
    assert after["chunks_waiting"] == before["chunks_waiting"] + 3
    assert after["unfinished_jobs"] == before["unfinished_jobs"] + 1
    assert after["chunks_age_seconds"] >= 0
    http.delete(f"/jobs/{id}")
