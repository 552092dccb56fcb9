"""What happens when something dies or misbehaves in the middle: the job ends with every row, once, and all adds up."""

import base64
import json
import os
import signal
import subprocess
import time

import httpx
import psutil
from programs import Stack, http_client, kill_group, until
from proxy import Proxy
from scored import CHUNKS, ROWS, assert_whole, begun, submit, wait
from starvation import starved
from traps import trap

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.progress.cluster_metrics import read_cluster_metrics
from rowcast.jobs.records.celery_queues import REFUSED
from rowcast.jobs.records.metric_fields import MetricField
from rowcast.jobs.records.redis_keys import key
from worker.consumer.bootstep import EXIT_CODE

GOES_ON_SECONDS = 8
"""So soon after a worker was killed its work goes on, by default settings."""

STARVED_SECONDS = 6
"""Longer than a killed worker keeps its leases."""


def test_a_worker_killed_whole_loses_its_chunk_to_another_within_eight_seconds(own_stack: Stack) -> None:
    """With the lease that is the default. First all of its processes are killed, then only the main one of another."""
    stuck = own_stack.folder / "stuck"
    own_stack.environment.pop("ROWCAST_LEASE_SECONDS")
    own_stack.start_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker("second", concurrency=1)
    with http_client(own_stack.url, timeout=90) as http:
        for kill in (kill_group, subprocess.Popen.kill):
            own_stack.start_worker("first", concurrency=1)
            stuck.touch()
            id = submit(http, "stuck")
            until(lambda: own_stack.redis.hlen(key("leases")) == 2, "each worker has a chunk")
            scoring = own_stack.worker_processes("first")
            kill(own_stack.processes.pop("first"))
            until(lambda one=scoring: not any(map(psutil.Process.is_running, one)), "its processes are dead, too")
            stuck.unlink()
            job = http.get(f"/jobs/{id}", params={"wait": GOES_ON_SECONDS}).json()
            assert job["status"] == "succeeded", "the chunk was not taken over in time"
            assert_whole(own_stack, http, id)
    assert own_stack.log("upkeep").count('"processes_lost"') == 2
    own_stack.audit()


def test_a_worker_whose_machine_dies_loses_its_chunk_when_its_lease_runs_out(
    kept_stack: Stack, http: httpx.Client
) -> None:
    """For Redis its connections are open, as nothing closes them."""
    proxy, lost = Proxy(kept_stack.server.port), kept_stack.log("upkeep").count("processes_lost")
    kept_stack.start_worker("first", concurrency=1, ROWCAST_REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    proxy.swallow()
    kill_group(kept_stack.processes.pop("first"))
    (kept_stack.folder / "stuck").unlink()
    kept_stack.start_worker("second", concurrency=1)
    assert_whole(kept_stack, http, id)
    assert kept_stack.log("upkeep").count("processes_lost") == lost
    proxy.close()


def test_a_worker_that_gets_no_processor_time_keeps_its_chunks(kept_stack: Stack, http: httpx.Client) -> None:
    """Twenty processes keep all processors busy, and the kernel prefers each of them to the worker."""
    kept_stack.start_worker(ROWCAST_LEASE_SECONDS="30")
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    until(lambda: kept_stack.redis.hlen(key("leases")) == 2, "both processes have a chunk")
    leases = kept_stack.redis.hgetall(key("leases"))
    with starved(kept_stack.processes["worker"].pid):
        time.sleep(STARVED_SECONDS)  # the fault's own length
        assert kept_stack.redis.hgetall(key("leases")) == leases
    (kept_stack.folder / "stuck").unlink()
    assert_whole(kept_stack, http, id)
    assert leases_lost(kept_stack) == 0


def test_a_frozen_worker_that_comes_back_counts_nothing_that_another_did(kept_stack: Stack, http: httpx.Client) -> None:
    for name in ("first", "second"):
        kept_stack.start_worker(name, concurrency=1)
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    until(lambda: kept_stack.redis.hlen(key("leases")) == 2, "each worker has a chunk")
    os.killpg(kept_stack.processes["first"].pid, signal.SIGSTOP)
    (kept_stack.folder / "stuck").unlink()
    assert_whole(kept_stack, http, id)
    os.killpg(kept_stack.processes["first"].pid, signal.SIGCONT)
    until(lambda: '"stale"' in kept_stack.log("first"), "it comes too late")
    assert leases_lost(kept_stack) == 1, "the lease of the frozen one has run out"
    assert_whole(kept_stack, http, id)


def test_a_job_whose_workers_were_all_killed_waits_for_the_next(kept_stack: Stack, http: httpx.Client) -> None:
    stuck = kept_stack.folder / "stuck"
    for name in ("first", "second"):
        kept_stack.start_worker(name, concurrency=1)
    stuck.touch()
    id = submit(http, "stuck")
    until(lambda: kept_stack.redis.hlen(key("leases")) == 2, "each worker has a chunk")
    for name in ("first", "second"):
        kill_group(kept_stack.processes.pop(name))
    stuck.unlink()
    until(lambda: not kept_stack.redis.exists(key("leases")), "the leases have run out, and no worker is there")
    assert http.get(f"/jobs/{id}").json()["status"] == "running"
    kept_stack.start_worker("third")
    assert_whole(kept_stack, http, id)


def test_sigterm_lets_the_running_chunk_end_and_the_rest_waits_for_the_next_worker(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start_worker("first", concurrency=1)
    id = submit(http, "slow")
    begun(http, id)
    assert kept_stack.stop("first") == 0
    done = http.get(f"/jobs/{id}").json()["progress"]["rows_done"]
    assert 0 < done < ROWS, "the running chunk was counted, no other was begun"
    assert not kept_stack.redis.exists(key("leases")), "nothing is held by a worker that is gone"
    kept_stack.start_worker("second")
    assert_whole(kept_stack, http, id)


def test_sigterm_of_a_worker_that_does_not_get_done_hands_its_chunk_back_at_once(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start("first", "worker", "--concurrency", "1", "--grace", "1")
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    kept_stack.stop("first")
    assert not kept_stack.redis.exists(key("leases"))
    (kept_stack.folder / "stuck").unlink()
    kept_stack.start_worker("second")
    assert_whole(kept_stack, http, id)


def test_a_worker_without_its_fork_server_ends_so_that_it_is_started_again(kept_stack: Stack) -> None:
    kept_stack.start_worker(concurrency=1)
    kept_stack.fork_server().kill()
    assert kept_stack.processes["worker"].wait(timeout=30) == EXIT_CODE
    assert '"fork_server_ended"' in kept_stack.log("worker")


def test_cancel_stops_a_chunk_in_the_middle(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker(concurrency=1)
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    (process,) = kept_stack.worker_processes()
    answer = http.post(f"/jobs/{id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    process.wait(timeout=10)  # `predict` cannot be interrupted: its process ends, and another takes its place
    (kept_stack.folder / "stuck").unlink()
    assert_whole(kept_stack, http, submit(http, "fixed"))
    after = http.get(f"/jobs/{id}").json()
    assert (after["status"], after["progress"]["rows_done"]) == ("cancelled", 0)
    assert http.post(f"/jobs/{id}/cancel").status_code == 409
    assert http.get(f"/jobs/{id}/result").status_code == 409


def test_a_chunk_that_takes_too_long_is_ended_and_tried_again(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.environment["ROWCAST_CHUNK_TIMEOUT_SECONDS"] = "2"
    kept_stack.start_worker()
    (kept_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    until(lambda: "work_timed_out" in kept_stack.log("worker"), "the limit is noticed")
    (kept_stack.folder / "stuck").unlink()
    assert_whole(kept_stack, http, id)


def test_a_row_at_which_predict_hangs_is_found_and_the_others_are_scored(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.environment["ROWCAST_CHUNK_TIMEOUT_SECONDS"] = "2"
    kept_stack.start_worker()
    id = submit(http, "hanging", b"age\n20\n40\n66\n40\n")
    assert wait(http, id)["status"] == "succeeded"
    assert http.get(f"/jobs/{id}/errors").text.endswith("\n3,,,predict took longer than 1 s\n")
    assert http.get(f"/jobs/{id}/result").content == b"age,prediction\n20,0\n40,1\n66,\n40,1\n"


def test_a_single_row_that_kills_its_process_fails_alone(kept_stack: Stack, http: httpx.Client) -> None:
    def ask(age: int) -> str:
        return http.post("/predict", json={"features": [age], "model": "deadly"}).json()["id"]

    before, deadly, after = [ask(20), ask(40)], ask(66), [ask(20), ask(40)]
    kept_stack.start_worker()  # it finds them together
    assert [wait(http, id)["result"] for id in before + after] == [{"prediction": 0}, {"prediction": 1}] * 2
    job = wait(http, deadly)
    assert (job["status"], job["error"]["status"]) == ("failed", 422)
    assert job["error"]["detail"] == "predict ended its process (killed by SIGKILL)"


def test_ten_jobs_survive_workers_killed_again_and_again(kept_stack: Stack, http: httpx.Client) -> None:
    """Each time in the middle of work; between two times work goes on, and more jobs come."""
    stuck = kept_stack.folder / "stuck"
    kept_stack.start_worker("w0")
    ids: list[str] = []
    for number, more in enumerate((4, 3, 3)):
        stuck.touch()
        ids += [submit(http, "stuck") for _ in range(more)]
        until(lambda: kept_stack.redis.hlen(key("leases")) == 2, "both processes are at work")
        kill_group(kept_stack.processes.pop(f"w{number}"))
        stuck.unlink()
        kept_stack.start_worker(f"w{number + 1}")
    for id in ids:
        assert_whole(kept_stack, http, id)


def test_a_pickle_in_a_message_is_never_read(kept_stack: Stack, http: httpx.Client) -> None:
    redis, mark = kept_stack.redis, kept_stack.folder / "mark"
    id = submit(http, "fixed")
    message = json.loads(redis.lindex(key("batch"), 0))
    message["body"] = base64.b64encode(trap(mark)).decode()
    message["properties"]["body_encoding"] = "base64"
    for kind in ("application/x-python-serialize", "application/json"):
        redis.lpush(key("batch"), json.dumps({**message, "content-type": kind, "content-encoding": "binary"}))
    kept_stack.start_worker()
    until(lambda: redis.hget(key("totals"), REFUSED) == b"2", "the worker has refused them")
    assert_whole(kept_stack, http, id)
    assert not mark.exists()


def test_messages_too_many_and_every_chunk_named_twice_change_nothing(kept_stack: Stack, http: httpx.Client) -> None:
    """Chunks that the job does not have, and those beyond its window, stand in line, too."""
    redis = kept_stack.redis
    id = submit(http, "fixed")
    rows = [http.post("/predict", json={"features": [age], "model": "fixed"}).json()["id"] for age in (20, 40, 60)]
    for queue in ("batch", "single"):
        message = redis.lindex(key(queue), 0)
        for number in range(8):  # each costs its process a second, in which it lingers for rows
            redis.lpush(key(queue), message.replace(b'"delivery_tag": "h', b'"delivery_tag": "again%d' % number))
    named = [f"{id}/{chunk}" for chunk in (*range(CHUNKS), 999)] + [f"{new_id()}/0"]
    redis.zadd(key("ready_chunks"), dict.fromkeys(named, 1))
    redis.zadd(key("ready_models"), {"fixed@1": 1, "unknown@1": 1})
    kept_stack.start_worker()
    assert_whole(kept_stack, http, id)
    assert [wait(http, row)["result"]["prediction"] for row in rows] == [0, 1, 1]
    until(lambda: not redis.exists(key("batch"), key("single"), key("ready_chunks")), "all was taken")
    log = kept_stack.log("worker")
    scored = [json.loads(line)["chunk"] for line in log.splitlines() if '"chunk_scored"' in line]
    assert sorted(scored) == list(range(CHUNKS)), "none was done twice"
    assert log.count("chunk_not_needed") >= 2
    assert not redis.hexists(key("totals"), REFUSED)


def leases_lost(stack: Stack) -> int:
    return read_cluster_metrics(stack.redis).counters[MetricField.LEASES_LOST]["batch",]


def test_lost_messages_are_sent_again(kept_stack: Stack, http: httpx.Client) -> None:
    redis = kept_stack.redis
    id = submit(http, "fixed")
    redis.delete(key("batch"), key("ready_chunks"))
    single = http.post("/predict", json={"features": [40], "model": "fixed"}).json()["id"]
    redis.delete(key("single"), key("ready_models"))
    kept_stack.start_worker()
    assert_whole(kept_stack, http, id)
    assert wait(http, single)["result"] == {"prediction": 1}
