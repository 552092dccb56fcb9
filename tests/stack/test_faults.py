"""What happens when something dies or misbehaves in the middle: the job ends with every row, once, and all adds up."""

import threading

import httpx
import psutil
from programs import Stack, kill_group, until
from scored import CSV, ROWS, WANTED, assert_whole, begun, submit, wait

from rowcast.jobs.keys import key
from rowcast.jobs.queue import REFUSED


def pool_processes(own_stack: Stack, name: str = "worker") -> list[psutil.Process]:
    return psutil.Process(own_stack.processes[name].pid).children()


def test_a_killed_pool_process_costs_nothing(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker()
    (own_stack.folder / "die").touch()
    assert_whole(own_stack, http, submit(http, "dying"))
    assert "leases_given_back" in own_stack.log("worker"), "the death was noticed at once, not at the lease's end"


def test_a_worker_killed_whole_is_replaced_by_another(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker("first")
    (own_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    kill_group(own_stack.processes.pop("first"))
    (own_stack.folder / "stuck").unlink()
    own_stack.start_worker("second")
    assert_whole(own_stack, http, id)


def test_sigterm_lets_the_running_chunk_end_and_the_rest_waits_for_the_next_worker(
    own_stack: Stack, http: httpx.Client
) -> None:
    own_stack.start_worker("first", concurrency=1)
    id = submit(http, "slow")
    begun(http, id)
    assert own_stack.stop("first") == 0
    done = http.get(f"/jobs/{id}").json()["progress"]["rows_done"]
    assert 0 < done < ROWS, "the running chunk was counted, no other was begun"
    assert not own_stack.redis.exists(key("leases")), "nothing is held by a worker that is gone"
    own_stack.start_worker("second")
    assert_whole(own_stack, http, id)


def test_sigterm_of_a_worker_that_does_not_get_done_hands_its_chunk_back_at_once(
    own_stack: Stack, http: httpx.Client
) -> None:
    own_stack.start("first", "worker", "--concurrency", "1", "--grace", "1")
    (own_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    own_stack.stop("first")
    assert not own_stack.redis.exists(key("leases"))
    (own_stack.folder / "stuck").unlink()
    own_stack.start_worker("second")
    assert_whole(own_stack, http, id)


def test_cancel_stops_a_chunk_in_the_middle(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker(concurrency=1)
    (own_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    (process,) = pool_processes(own_stack)
    answer = http.post(f"/jobs/{id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    process.wait(timeout=10)  # `predict` cannot be interrupted: its process ends, and another takes its place
    (own_stack.folder / "stuck").unlink()
    assert_whole(own_stack, http, submit(http, "fixed"))
    after = http.get(f"/jobs/{id}").json()
    assert (after["status"], after["progress"]["rows_done"]) == ("cancelled", 0)
    assert http.post(f"/jobs/{id}/cancel").status_code == 409
    assert http.get(f"/jobs/{id}/result").status_code == 409


def test_a_chunk_that_takes_too_long_is_ended_and_tried_again(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.environment["ROWCAST_CHUNK_TIMEOUT"] = "2"
    own_stack.start_worker()
    (own_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    until(lambda: "work_took_too_long" in own_stack.log("worker"), "the limit is noticed")
    (own_stack.folder / "stuck").unlink()
    assert_whole(own_stack, http, id)


def test_a_row_that_makes_predict_raise_is_found_and_the_others_are_scored(
    own_stack: Stack, http: httpx.Client
) -> None:
    own_stack.start_worker()
    id = submit(http, "picky", CSV.replace(b"\n17\n", b"\n66\n"))
    job = wait(http, id)
    blamed = sum(number % 60 == 17 for number in range(ROWS))
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", blamed)
    errors = http.get(f"/jobs/{id}/errors").text.splitlines()
    assert errors[0] == "row,column,value,message"
    assert errors[1].startswith("18,")
    assert "66 is not for me" in errors[1]
    assert len(errors) == 1 + blamed
    assert http.get(f"/jobs/{id}/result").content.replace(b"\n66,\n", b"\n17,0\n") == WANTED


def test_a_row_that_kills_its_process_is_found_and_the_others_are_scored(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker()
    id = submit(http, "deadly", CSV.replace(b"\n17\n", b"\n66\n", 1))
    job = wait(http, id)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1), job
    errors = http.get(f"/jobs/{id}/errors").text
    assert errors == "row,column,value,message\n18,,,predict ended its process (signal 9)\n"
    assert http.get(f"/jobs/{id}/result").content.replace(b"\n66,\n", b"\n17,0\n") == WANTED


def test_a_row_at_which_predict_hangs_is_found_and_the_others_are_scored(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.environment["ROWCAST_CHUNK_TIMEOUT"] = "2"
    own_stack.start_worker()
    id = submit(http, "hanging", b"age\n20\n40\n66\n40\n")
    assert wait(http, id)["status"] == "succeeded"
    assert http.get(f"/jobs/{id}/errors").text.endswith("\n3,,,predict took longer than 1 s\n")
    assert http.get(f"/jobs/{id}/result").content == b"age,prediction\n20,0\n40,1\n66,\n40,1\n"


def test_a_single_row_that_kills_its_process_fails_alone(own_stack: Stack, http: httpx.Client) -> None:
    def ask(age: int) -> str:
        return http.post("/predict", json={"features": [age], "model": "deadly"}).json()["id"]

    before, deadly, after = [ask(20), ask(40)], ask(66), [ask(20), ask(40)]
    own_stack.start_worker()  # it finds them together
    assert [wait(http, id)["result"] for id in before + after] == [{"prediction": 0}, {"prediction": 1}] * 2
    job = wait(http, deadly)
    assert (job["status"], job["error"]["status"]) == ("failed", 422)
    assert job["error"]["detail"] == "predict ended its process (signal 9)"


def test_a_chunk_that_keeps_raising_fails_the_job_and_names_its_rows(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker()
    (own_stack.folder / "failing").touch()
    job = wait(http, submit(http, "failing"))
    assert job["status"] == "failed"
    assert "(rows " in job["error"]["detail"]
    assert "MemoryError" in job["error"]["detail"]
    (own_stack.folder / "failing").unlink()
    assert_whole(own_stack, http, submit(http, "failing"))


def test_ten_jobs_survive_workers_killed_again_and_again(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker("w0")
    ids = [submit(http, "fixed") for _ in range(10)]
    for number in range(1, 4):
        kill_group(own_stack.processes.pop(f"w{number - 1}"))
        own_stack.start_worker(f"w{number}")
    for id in ids:
        assert_whole(own_stack, http, id)


def test_a_message_that_nobody_of_ours_sent_is_refused_and_the_worker_goes_on(
    own_stack: Stack, http: httpx.Client
) -> None:
    own_stack.start_worker()
    redis = own_stack.redis
    id = submit(http, "slow")
    until(lambda: redis.llen(key("batch")), "hints wait")
    template = redis.lindex(key("batch"), 0)
    start = template.index(b"[[")
    stop = template.index(b", {}", start)
    for arguments in (rb"[[\"x\"]", rb"[[7, \"a\"]", rb"[[]", rb"[[\"../..\", 0]", rb"[[\"%s\", 999]" % id.encode()):
        redis.lpush(key("batch"), template[:start] + arguments + template[stop:])
    redis.lpush(key("batch"), template.replace(b"rowcast.score_chunk", b"os.system"))
    redis.lpush(key("batch"), template.replace(b"[null, null]", b"[[], []]"))  # Celery would end by these time limits
    redis.lpush(key("batch"), template.replace(b"application/json", b"application/x-python-serialize"))
    for bytes in (b"", b"no JSON", b"[]", b"7", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"properties": 1}'):
        redis.lpush(key("batch"), bytes)
    until(lambda: redis.hget(key("totals"), REFUSED) == b"14", "the worker has refused them")
    assert_whole(own_stack, http, id)


def test_every_message_twice_and_in_any_order_changes_nothing(own_stack: Stack, http: httpx.Client) -> None:
    redis = own_stack.redis
    id = submit(http, "fixed")
    hints = redis.lrange(key("batch"), 0, -1)
    redis.delete(key("batch"))
    for index, hint in enumerate(hints + hints[::-1]):
        redis.lpush(key("batch"), hint.replace(b'"delivery_tag": "h', b'"delivery_tag": "twice%d' % index))
    own_stack.start_worker()
    assert_whole(own_stack, http, id)


def test_lost_hints_are_sent_again(own_stack: Stack, http: httpx.Client) -> None:
    redis = own_stack.redis
    id = submit(http, "fixed")
    redis.delete(key("batch"))
    single = http.post("/predict", json={"features": [40], "model": "fixed"}).json()["id"]
    redis.delete(key("single"))
    own_stack.start_worker()
    assert_whole(own_stack, http, id)
    assert wait(http, single)["result"] == {"prediction": 1}


def test_waiting_rows_survive_the_death_of_the_process_that_has_them(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.start_worker()
    (own_stack.folder / "die").touch()
    answers: list[httpx.Response] = []

    def ask(age: int) -> None:
        body = {"features": [age], "model": "dying"}
        answers.append(httpx.post(f"{own_stack.url}/predict", json=body, headers={"Prefer": "wait=60"}, timeout=90))

    threads = [threading.Thread(target=ask, args=(age,)) for age in (20, 40, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.json()["prediction"] for answer in answers) == [0, 0, 1, 1]
