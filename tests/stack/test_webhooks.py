"""Webhooks, delivered by real gateways to a real receiver: signatures, retries, and receivers that misbehave."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from people import ended, people
from programs import ROOT, SUPPORT, Stack, free_port, http_client, kill_group, until
from resumable import create, send
from webhook_receiver import SECRET, Received, Receiver, canonical, receiving
from workbooks import workbook

from rowcast.client import Client
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.settings import Settings

CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def hooked(make_stack: Callable[..., Stack]) -> Stack:
    """The whole service, which delivers to private addresses."""
    stack = make_stack(
        ROWCAST_WEBHOOK_SECRET=SECRET,
        ROWCAST_WEBHOOK_PRIVATE="true",
        ROWCAST_CHUNK_ROWS="64",
        PYTHONPATH=str(SUPPORT),
    )
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    return stack


@pytest.fixture
def client(hooked: Stack) -> Iterator[httpx.Client]:
    """A client whose requests come as through a proxy below a path."""
    with http_client(hooked.url, timeout=90) as http:
        http.headers["X-Forwarded-Prefix"] = "/scores"
        yield http


def batch(client: httpx.Client, webhook: str, body: bytes = b"age,pclass\n25,3\n", **options: str) -> str:
    answer = client.post("/predict", params={"webhook": webhook, **options}, content=body, headers=CSV)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def webhook_of(client: httpx.Client, id: str) -> dict:
    return client.get(f"/jobs/{id}").json()["webhook"]


def settled(client: httpx.Client, id: str) -> dict:
    """Returns the webhook of a job when its first attempt has ended."""
    until(lambda: webhook_of(client, id)["last_attempt"], "an attempt has ended")
    return webhook_of(client, id)


def delivered(client: httpx.Client, id: str) -> dict:
    """Returns the webhook of a job when it is delivered."""
    until(lambda: webhook_of(client, id)["state"] == "delivered", "it is delivered")
    return webhook_of(client, id)


def make_due(stack: Stack, id: str) -> None:
    """Lets time pass: the pause before the next attempt, or the claim of a gateway that died, is over."""
    stack.redis.zadd(key("webhooks"), {id: 0})


def test_a_receiver_gets_a_batch_as_the_job_is_when_it_has_ended(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/ok?token=s3cret"), people(300), tags="run:nightly")
    assert webhook_of(client, id)["url"] == receiver.url("/ok?***")
    got = receiver.next()
    assert got.path == "/ok?token=s3cret"
    assert got.id == f"{id}-1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Rowcast/")
    job = got.job()
    assert (job["status"], job["progress"]["rows_done"], job["tags"]) == ("succeeded", 300, {"run": "nightly"})
    assert job["links"]["result"] == f"/scores/jobs/{id}/result"
    assert "s3cret" not in got.body.decode()
    delivered = settled(client, id)
    assert (delivered["state"], delivered["attempts"]) == ("delivered", 1)
    assert delivered["last_attempt"]["status"] == 200
    assert delivered["next_attempt_at"] is None
    assert canonical(job) == canonical(client.get(f"/jobs/{id}").json())


def test_a_receiver_gets_a_job_of_a_converted_file(client: httpx.Client, receiver: Receiver) -> None:
    body = workbook(["age", "pclass"], *[[row % 60, 3] for row in range(200)])
    id = batch(client, receiver.url("/ok"), body)
    job = receiver.next().job()
    assert (job["id"], job["status"], job["progress"]["rows_done"]) == (id, "succeeded", 200)
    assert (job["input"]["format"], job["input"]["columns"]) == ("xlsx", ["age", "pclass"])
    assert job["links"]["result"] == f"/scores/jobs/{id}/result"
    settled(client, id)
    assert canonical(job) == canonical(client.get(f"/jobs/{id}").json())
    failed = batch(client, receiver.url("/ok"), workbook(["Age", "pclass"], [25, 3]))
    job = receiver.next().job()
    assert (job["id"], job["status"], job["error"]["type"]) == (failed, "failed", "urn:rowcast:problem:missing-columns")


@pytest.mark.parametrize("body", [b"age,pclass\n25,3\n", workbook(["age", "pclass"], [25, 3])], ids=["csv", "xlsx"])
def test_a_check_calls_no_webhook(client: httpx.Client, receiver: Receiver, body: bytes) -> None:
    options = {"dry_run": "true", "webhook": receiver.url("/check")}
    assert client.post("/predict", params=options, content=body, headers=CSV).json()["ok"]
    other = batch(client, receiver.url("/ok"))
    assert receiver.next().id == f"{other}-1"
    assert receiver.seen["/check"] == 0


def test_a_receiver_gets_a_single_row_and_its_credentials(client: httpx.Client, receiver: Receiver) -> None:
    url = receiver.url("/ok").replace("//", "//ann:pa%20ss@")
    answer = client.post("/predict", json={"features": [25, 3], "webhook": url})
    assert answer.status_code == 202, answer.text
    assert answer.json()["webhook"] == {
        "url": receiver.url("/ok"), "state": "waiting", "attempts": 0, "last_attempt": None, "next_attempt_at": None,
    }  # fmt: skip
    got = receiver.next()
    assert httpx.BasicAuth("ann", "pa ss")._auth_header == got.headers["authorization"]
    job = got.job()
    assert (job["id"], job["kind"], job["result"]) == (answer.json()["id"], "single", {"prediction": 0})


def test_a_receiver_learns_of_a_job_that_failed(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/ok"), b"age,pclass\nx,3\n", on_error="fail")
    job = receiver.next().job()
    assert (job["id"], job["status"], job["error"]["type"]) == (id, "failed", "urn:rowcast:problem:bad-row")
    assert job["error"]["help"] == "/scores/docs/errors#bad-row"


def test_each_end_of_a_job_is_delivered_under_its_own_id(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/ok"), b"age,pclass\n25,3\nx,3\n")
    first = receiver.next()
    settled(client, id)
    bad = client.get(f"/jobs/{id}/errors", params={"as": "input"}).text
    repair = client.post(f"/jobs/{id}/repair", content=bad.replace("x,3", "30,3").encode(), headers=CSV)
    assert repair.status_code == 202, repair.text
    second = receiver.next()
    assert [first.id, second.id] == [f"{id}-1", f"{id}-2"]
    assert [got.job()["progress"]["rows_failed"] for got in (first, second)] == [1, 0]
    assert settled(client, id)["state"] == "delivered"


def test_a_failed_delivery_is_repeated_with_the_same_id(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/fails-once/a"))
    first, second = receiver.next(), receiver.next()  # the second comes by itself, after about five seconds
    assert first.id == second.id
    pause = int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"])
    assert pause >= 4
    assert second.job()["webhook"]["last_attempt"]["status"] == 503
    found = delivered(client, id)
    assert (found["attempts"], found["last_attempt"]["status"]) == (2, 204)


def test_a_redirect_is_a_failed_attempt(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/moved"))
    receiver.next()
    found = settled(client, id)
    assert (found["state"], found["last_attempt"]["status"]) == ("pending", 302)
    assert found["last_attempt"]["error"] == "redirects are not followed"
    assert not receiver.seen["GET /elsewhere"]
    client.delete(f"/jobs/{id}")


def test_gone_ends_the_attempts_and_a_receiver_may_ask_for_time(client: httpx.Client, receiver: Receiver) -> None:
    gone, busy, until_then = (batch(client, receiver.url(path)) for path in ("/status/410", "/busy", "/busy-until"))
    for _ in range(3):
        receiver.next()
    found = settled(client, gone)
    assert (found["state"], found["last_attempt"]["status"], found["next_attempt_at"]) == ("failed", 410, None)
    found = settled(client, busy)
    assert (found["state"], found["last_attempt"]["status"]) == ("pending", 429)
    asked = seconds_between(found["last_attempt"]["at"], found["next_attempt_at"])
    assert 3600 <= asked <= 3600 * 1.1 + 60
    found = settled(client, until_then)
    asked = seconds_between(found["last_attempt"]["at"], found["next_attempt_at"])
    assert 7200 - 60 <= asked <= 7200 * 1.1 + 60
    for id in (busy, until_then):
        client.delete(f"/jobs/{id}")


def seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_receivers_that_never_end_hold_up_no_other(client: httpx.Client) -> None:
    with receiving() as slow, receiving() as dripping, receiving() as quick:
        held = [batch(client, slow.url("/held")) for _ in range(6)]
        drip = batch(client, dripping.url("/drip"))
        until(lambda: slow.seen["/held"] == 4 and dripping.seen, "each host has as many attempts as it may")
        id = batch(client, quick.url("/ok"))
        assert quick.next().id == f"{id}-1"
        assert settled(client, id)["state"] == "delivered"
        assert slow.seen["/held"] == 4
        for one in (slow.next().job()["id"], drip):
            until(lambda one=one: webhook_of(client, one)["last_attempt"], "the attempt is given up")
            found = webhook_of(client, one)
            assert (found["state"], found["last_attempt"]["status"]) == ("pending", None)
            assert found["last_attempt"]["error"] == "no complete answer within 15 seconds"
        for one in (*held, drip):
            client.delete(f"/jobs/{one}")


def test_a_resumable_upload_may_have_a_webhook(client: httpx.Client, receiver: Receiver) -> None:
    job = send(
        client, create(client, webhook=receiver.url("/ok")).removeprefix("/scores"), b"age,pclass\n25,3\n30,1\n", [12]
    ).json()
    assert job["webhook"]["url"] == receiver.url("/ok")
    got = receiver.next().job()
    assert (got["id"], got["progress"]["rows_done"]) == (job["id"], 2)


def test_the_command_line_and_the_client_send_a_webhook_and_show_it(
    client: httpx.Client, hooked: Stack, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b"age,pclass\n25,3\n")

    def rowcast(*words: str) -> str:
        command = [sys.executable, "-m", "rowcast.cli", *words, "--url", hooked.url]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    id = rowcast("submit", str(file), "--webhook", receiver.url("/status/410")).strip()
    assert receiver.next().id == f"{id}-1"
    settled(client, id)
    assert "webhook:     failed after 1 attempt: 410\n" in rowcast("status", id)
    assert (
        f"<dt>Webhook</dt><dd><code>{receiver.url('/status/410')}</code>, failed (410)"
        in client.get(f"/ui/jobs/{id}").text
    )
    with Client(hooked.url) as service:
        job = service.submit_csv(file, webhook=receiver.url("/ok"))
    assert receiver.next().job()["id"] == job.id
    settled(client, job.id)
    assert "webhook:     delivered\n" in rowcast("status", job.id)


def test_an_endless_answer_is_not_read(client: httpx.Client, receiver: Receiver) -> None:
    id = batch(client, receiver.url("/endless"))
    receiver.next()
    assert settled(client, id)["state"] == "delivered"


def test_a_delivery_survives_the_gateway_that_made_it(client: httpx.Client, hooked: Stack) -> None:
    with receiving() as receiver:
        id = batch(client, receiver.url("/held"))
        first = receiver.next()
        kill_group(hooked.processes.pop("gateway"))
        hooked.start_gateway()
        receiver.released.set()
        assert webhook_of(client, id)["state"] == "pending"
        make_due(hooked, id)
        second = receiver.next()
        assert first.id == second.id
        assert second.job()["webhook"]["attempts"] == 2
        delivered(client, id)


def test_a_claim_whose_gateway_died_before_it_called_runs_out(client: httpx.Client, hooked: Stack) -> None:
    with receiving() as receiver:
        id = batch(client, receiver.url("/status/500"))
        receiver.next()
        settled(client, id)
        hooked.stop("gateway")
        make_due(hooked, id)
        scripts = Scripts(hooked.redis, Settings.read(redis_url=hooked.redis_url))
        (claimed,) = scripts.claim_deliveries(10)
        assert (claimed.id, claimed.end, claimed.attempt) == (id, 1, 2)
        assert scripts.claim_deliveries(10) == []
        hooked.start_gateway()
        make_due(hooked, id)
        assert receiver.next().id == f"{id}-1"
        client.delete(f"/jobs/{id}")


def test_a_stop_does_not_wait_for_a_receiver(client: httpx.Client, hooked: Stack) -> None:
    with receiving() as receiver:
        id = batch(client, receiver.url("/held"))
        receiver.next()
        assert hooked.stop("gateway") == 0  # its grace is 5 seconds, and an attempt may take 15
        hooked.start_gateway()
        assert webhook_of(client, id)["state"] == "pending"
        client.delete(f"/jobs/{id}")


def test_two_gateways_and_two_upkeeps_do_all_once_though_one_of_each_dies(client: httpx.Client, hooked: Stack) -> None:
    """First those that were started first, then the other two."""
    port = free_port()
    hooked.start("gateway2", "api", "--port", str(port))
    hooked.start("upkeep2", "upkeep")
    until(lambda: accepts(port), "the second gateway listens")
    with receiving() as receiver, http_client(f"http://127.0.0.1:{port}", timeout=90) as other:
        for number, survivor in (("", other), ("2", client)):
            ids = [batch(one, receiver.url("/ok")) for one in (client, other) for _ in range(5)]
            assert {receiver.next().id for _ in ids} == {f"{id}-1" for id in ids}
            for id in ids:
                assert settled(survivor, id)["attempts"] == 1
            expire(hooked, survivor, ids)
            survivor.post("/queue/pause")
            ids = [batch(one, receiver.url("/ok"), people(200)) for one in (client, other)]
            kill_group(hooked.processes.pop(f"gateway{number}"))
            kill_group(hooked.processes.pop(f"upkeep{number}"))
            survivor.post("/queue/resume")
            assert {receiver.next().id for _ in ids} == {f"{id}-1" for id in ids}
            for id in ids:
                assert settled(survivor, id)["attempts"] == 1
            expire(hooked, survivor, ids)
            if not number:
                hooked.start_gateway()
                hooked.start_upkeep()
        assert receiver.received.empty()


def expire(stack: Stack, client: httpx.Client, ids: list[str]) -> None:
    """Lets the retention of these jobs end, and waits until their files are swept."""
    stack.redis.zadd(key("expiring"), dict.fromkeys(ids, 0))
    until(lambda: not any(file.split("/")[1] in ids for file in stack.files()), "the files are swept")
    assert {client.get(f"/jobs/{id}/result").status_code for id in ids} == {410}


def test_an_emptied_redis_delivers_the_rebuilt_job_under_the_same_id(client: httpx.Client, hooked: Stack) -> None:
    with receiving() as receiver:
        id = batch(client, receiver.url("/fails-once/b"), people(200))
        first = receiver.next()
        settled(client, id)
        hooked.redis.flushall()  # type: ignore[attr-defined]
        until(lambda: client.get(f"/jobs/{id}").status_code == 200, "the record is made again")
        second = receiver.next()
        assert first.id == second.id
        ended(client, id)
        assert canonical_result(first) == canonical_result(second)


def canonical_result(got: Received) -> tuple:
    job = got.job()
    return job["id"], job["status"], job["result"], job["input"]


def test_a_deleted_job_is_not_delivered_any_more(client: httpx.Client, hooked: Stack) -> None:
    with receiving() as receiver:
        id = batch(client, receiver.url("/status/500"))
        receiver.next()
        settled(client, id)
        assert client.delete(f"/jobs/{id}").status_code == 204
        assert id.encode() not in hooked.redis.zrange(key("webhooks"), 0, -1)
        other = batch(client, receiver.url("/ok"))
        assert receiver.next().id == f"{other}-1"


def test_the_receiver_of_the_page_takes_each_message_once(client: httpx.Client, hooked: Stack) -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    (code,) = re.findall(r"<!-- receiver -->\n```python\n(.*?)```", page, re.DOTALL)
    port = free_port()
    receiver = subprocess.Popen(
        [sys.executable, "-c", code.replace("8000", str(port))],
        env={**os.environ, "ROWCAST_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: accepts(port), "the receiver listens")
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"{}").status_code == 401
        id = batch(client, f"http://localhost:{port}/rowcast")
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == f"{id} succeeded /scores/jobs/{id}/result\n"
        assert settled(client, id)["last_attempt"]["status"] == 204
    finally:
        receiver.kill()
        receiver.communicate()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_audit_finds_nothing_after_all_of_that(hooked: Stack) -> None:
    hooked.audit()
