"""Today's programs on what an older release left behind: jobs in every state, and a worker that was killed."""

import httpx
from programs import Stack, until
from release_state import ReleaseState
from resumable import append, offset_of
from scored import CSV, ROWS, WANTED, wait

from rowcast.jobs.records.redis_keys import key


def result(http: httpx.Client, id: str, rows: int = ROWS) -> None:
    """Checks that a job has ended, and that its result is right."""
    job = wait(http, id)
    assert job["status"] == "succeeded", job
    assert http.get(f"/jobs/{id}/result").content == b"".join(WANTED.splitlines(keepends=True)[: rows + 1])


def test_every_job_of_an_older_release_ends_as_it_would_have(kept_stack: Stack, http: httpx.Client) -> None:
    state = ReleaseState.read()
    state.restore(kept_stack.redis, kept_stack.store)
    jobs = state.jobs
    kept_stack.start_worker()

    result(http, jobs["succeeded"])
    assert http.get(f"/jobs/{jobs['row']}").json()["result"] == {"prediction": 1}
    assert http.get(f"/jobs/{jobs['failed']}").json()["error"]["type"] == "urn:rowcast:problem:bad-row"
    assert http.get(f"/jobs/{jobs['deleted']}").status_code == 410
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "release"}
    again = http.post("/predict?model=fixed", content=CSV, headers=headers)
    assert (again.headers.get("Idempotency-Replayed"), again.json()["id"]) == ("true", jobs["succeeded"])

    cancelled = http.get(f"/jobs/{jobs['cancelled']}").json()
    assert (cancelled["status"], cancelled["progress"]["rows_done"]) == ("cancelled", 64)
    assert http.get(f"/jobs/{jobs['cancelled']}/result?partial=true").content == b"".join(
        WANTED.splitlines(keepends=True)[:65]
    )
    assert http.post(f"/jobs/{jobs['cancelled']}/retry").status_code == 202

    offset = offset_of(http, jobs["upload"])
    assert 0 < offset < len(CSV)
    uploaded = append(http, jobs["upload"], offset, CSV[offset:], last=True)
    result(http, uploaded.json()["id"])
    for name in ("queued", "owned", "converted"):
        result(http, jobs[name])
    assert wait(http, jobs["queued row"])["result"] == {"prediction": 0}
    for name in ("cancelled", "interrupted"):
        result(http, jobs[name], 3 * 64)
    until(lambda: not kept_stack.redis.exists(key("leases"), key("due")), "nothing is in flight any more")
