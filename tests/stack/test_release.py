"""Today's programs on what an older release left behind: jobs in every state, and a worker that was killed."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
from programs import Stack, until
from release_state import ReleaseState
from resumable import append, offset_of
from scored import CSV, ROWS, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField


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
    for name in ("queued", "hurried", "owned", "converted"):
        result(http, jobs[name])
    until(lambda: http.get(f"/v1/batches/{jobs['batch']}").json()["status"] == "completed", "the batch has ended")
    output = http.get(f"/v1/batches/{jobs['batch']}").json()["output_file_id"]
    lines = [json.loads(line) for line in http.get(f"/v1/files/{output}/content").text.splitlines()]
    assert [(line["custom_id"], line["response"]["body"]["prediction"]) for line in lines] == [("20", 0), ("40", 1)]
    assert wait(http, jobs["queued row"])["result"] == {"prediction": 0}
    for name in ("cancelled", "interrupted"):
        result(http, jobs[name], 3 * 64)
    until(lambda: not kept_stack.redis.exists(key("leases"), key("due")), "nothing is in flight any more")


def change(file: Path, members: dict[str, Any]) -> None:
    """Changes what the manifest of a job says."""
    file.write_text(json.dumps(json.loads(file.read_text()) | members))


def test_jobs_of_a_newer_release_are_shown_wait_for_it_and_outlive_an_emptied_redis(
    kept_stack: Stack, http: httpx.Client
) -> None:
    """Rolled back to this release, the service has jobs that it can neither score right nor lose."""
    known, newer, unreadable = (submit(http, "fixed") for _ in range(3))
    spec = json.loads(kept_stack.redis.hget(key("job", newer), JobField.SPEC))
    spec["options"] |= {"certainty": 3, "priority": "urgent"}
    change(kept_stack.store / "jobs" / newer / "job.json", {"spec": spec})
    change(kept_stack.store / "jobs" / unreadable / "job.json", {"form": 99})
    kept_stack.redis.flushall()
    until(lambda: {http.get(f"/jobs/{id}").status_code for id in (known, newer)} == {200}, "jobs are made again")
    until(lambda: unreadable in kept_stack.log("upkeep"), "upkeep says which it cannot read")
    assert kept_stack.redis.zscore(key("removing"), unreadable) is None, "and does not remove it"
    shutil.rmtree(kept_stack.store / "jobs" / unreadable)

    kept_stack.start_worker()
    result(http, known)
    until(lambda: "does not know: `certainty`, `priority`" in http.get(f"/jobs/{newer}/log").text, "it waits")
    assert {job["id"]: job["status"] for job in http.get("/jobs").json()["jobs"]}[newer] == "running"
    assert http.get(f"/ui/jobs/{newer}").status_code == 200

    kept = json.loads(kept_stack.redis.hget(key("job", newer), JobField.SPEC))
    assert kept["unknown_options"] == {"certainty": 3, "priority": "urgent"}
    kept["unknown_options"] = {"priority": "high"}  # as a release that knows what it is reads it
    kept_stack.redis.hset(key("job", newer), JobField.SPEC, json.dumps(kept))
    assert_whole(kept_stack, http, newer)
