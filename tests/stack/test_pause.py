"""Pausing to drain before a deploy: what runs ends, everything else waits, whatever dies meanwhile."""

import httpx
from programs import Stack, kill_group, until
from scored import ROWS, assert_whole, submit

from rowcast.cli.main import main
from rowcast.jobs.records.redis_keys import key


def rows_done(http: httpx.Client, id: str) -> int:
    return http.get(f"/jobs/{id}").json()["progress"]["rows_done"]


def test_a_job_that_is_paused_and_whose_programs_are_all_killed_ends_whole(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start_worker()
    id = submit(http, "slow")
    until(lambda: rows_done(http, id), "a chunk is done")
    assert main(["pause", "--wait", "--url", kept_stack.url]) == 0
    assert http.get("/queue/pauses").json()["running"] == 0
    done = rows_done(http, id)
    assert 0 < done < ROWS
    row = http.post("/predict?wait=0.1", json={"model": "slow", "features": [25]})
    assert row.status_code == 202
    kill_group(kept_stack.processes.pop("worker"))
    kept_stack.server.kill()
    kept_stack.server.start()
    kept_stack.start_worker("second")
    other = submit(http, "fixed")
    until(lambda: not kept_stack.redis.exists(key("ready_chunks"), key("ready_models")), "no work is in a line")
    assert (rows_done(http, id), rows_done(http, other)) == (done, 0)
    assert http.get("/ready").json()["ready"]
    assert main(["resume", "--url", kept_stack.url]) == 0
    for job in (id, other):
        assert_whole(kept_stack, http, job)
    assert http.get(row.headers["Location"], params={"wait": 60}).json()["status"] == "succeeded"
    log = http.get(f"/jobs/{id}/log").json()
    assert not [one for one in log["log"] if one["event"] in ("worker_lost", "tried_again", "error")]


def test_a_worker_that_dies_while_its_chunk_is_paused_leaves_it_to_the_time_after(
    kept_stack: Stack, http: httpx.Client
) -> None:
    """The chunk was leased before the pause, so it runs on, and its process is killed."""
    (kept_stack.folder / "stuck").touch()
    kept_stack.start_worker(concurrency=1)
    id = submit(http, "stuck")
    until(lambda: kept_stack.redis.hlen(key("leases")) == 1, "a chunk is leased")
    http.post("/queue/pause", params={"model": "stuck"})
    kill_group(kept_stack.processes.pop("worker"))
    (kept_stack.folder / "stuck").unlink()
    kept_stack.start_worker("second")
    until(lambda: http.get("/queue/pauses").json()["running"] == 0, "its lease has run out")
    row = http.post("/predict?wait=60", json={"model": "fixed", "features": [25]})
    assert row.status_code == 200, "another model is not paused"
    assert rows_done(http, id) == 0
    http.post("/queue/resume")
    assert_whole(kept_stack, http, id)
