"""Redis with TLS and a user of the least rights, and a primary that dies while Sentinels watch it."""

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import estimators
import httpx
import numpy as np
import pytest
from programs import ROOT, SUPPORT, Stack, http_client, kill_group, serving, until
from registering import register
from scored import CSV, assert_whole, begun, submit, wait
from secure_redis import PROGRAM, Authority, SecureRedis
from sentinels import PASSWORD, Sentinels, watched_by_sentinels

from rowcast import api_keys
from rowcast.errors import RedisRefuses, UnusableRedis
from rowcast.jobs.records.redis_client import redis_errors, refuse_unusable
from rowcast.jobs.records.redis_keys import key

ROW = {"features": [40], "model": "fixed"}


def documented_user(password: str) -> list[str]:
    """Returns the words after `ACL SETUSER` in docs/security.md, with this password."""
    text = (ROOT / "docs" / "security.md").read_text()
    command = text.partition("redis-cli ACL SETUSER ")[2].partition("```")[0].replace("\\\n", "")
    return [word.replace("$PASSWORD", password) for word in shlex.split(command)]


@pytest.fixture
def stack_on(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes a stack on another server. It has the models `fixed` and `stuck`; nothing is started."""
    made: list[Stack] = []

    def on(server: object) -> Stack:
        environment = {"ROWCAST_CHUNK_ROWS": "64", "PYTHONPATH": str(SUPPORT)}
        stack = Stack(server, tmp_path, tmp_path / "models", environment)  # type: ignore[arg-type]  # it has a `url`
        for kind in (estimators.Fixed, estimators.Stuck):
            model = kind(str(tmp_path)).fit(np.zeros((2, 1)), [0, 1])
            register(stack.models, kind.__name__.lower(), model, ["age"])
        made.append(stack)
        return stack

    yield on
    for stack in made:
        stack.stop_all()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def secure_redis(tmp_path: Path, authority: Authority) -> Iterator[SecureRedis]:
    if PROGRAM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Redis with TLS (Debian's redis-tools), and CI must try it")
        pytest.skip("there is no Redis with TLS here (Debian's redis-tools)")
    server = SecureRedis(tmp_path, authority)
    try:
        server.admin.execute_command("ACL", "SETUSER", *documented_user("s3/cret"))
        yield server
    finally:
        server.stop()


def test_a_whole_run_over_tls_as_a_user_with_the_documented_rights(
    secure_redis: SecureRedis, stack_on: Callable[..., Stack]
) -> None:
    stack = stack_on(secure_redis)
    keys = stack.folder / "keys"
    secret = api_keys.new(keys, "one", "admin")
    stack.environment["ROWCAST_API_KEYS_FILE"] = str(keys)  # its calls are counted in Redis, too
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    with http_client(stack.url, timeout=90) as http:
        http.headers["Authorization"] = f"Bearer {secret}"
        assert http.post("/predict?wait=60", json=ROW).json()["prediction"] == 1, "a notification wakes the caller"
        assert_whole(stack, http, submit(http, "fixed"))
        cancelled = submit(http, "fixed")
        http.post(f"/jobs/{cancelled}/cancel")
        assert http.delete(f"/jobs/{cancelled}").status_code == 204
        assert http.get("/queue").status_code == 200
        assert http.get("/metrics/cluster").status_code == 200
        assert http.get("/ready").status_code == 200
    stack.audit()
    assert stack.stop("worker") == 0
    assert stack.stop("upkeep") == 0
    assert secure_redis.admin.acl_log() == []
    secure_redis.admin.execute_command("ACL", "SETUSER", "rowcast", "-zadd")
    with (
        pytest.raises(RedisRefuses, match=r"'zadd' command\. Give its user the rights in docs/security\.md"),
        redis_errors(),
    ):
        stack.redis.zadd(key("due"), {"x": 1})


def test_the_documented_rights_are_enough_for_every_command_of_the_scripts(secure_redis: SecureRedis) -> None:
    admin = secure_redis.admin
    texts = [file.read_text() for file in (ROOT / "rowcast" / "jobs" / "records").rglob("*.lua")]
    used = {name for text in texts for name in re.findall(r"redis\.call\('(\w+)'", text)} | {"SCAN"}
    assert len(used) > 30
    refused = {}
    for name in sorted(used):
        (about,) = admin.execute_command("COMMAND", "INFO", name).values()
        words = [name, *["rowcast:job"] * (abs(about["arity"]) - 1)]
        if (answer := admin.execute_command("ACL", "DRYRUN", "rowcast", *words)) not in (b"OK", "OK"):
            refused[name] = answer
    assert not refused


def test_a_connection_that_cannot_work_names_its_fix(
    secure_redis: SecureRedis, authority: Authority, stack_on: Callable[..., Stack], tmp_path: Path
) -> None:
    server, right = f"localhost:{secure_redis.port}", secure_redis.url
    ca, other = str(authority.file), str(Authority(tmp_path, "another").file)
    for url, fix in (
        (right.replace(ca, other), "not signed by a CA that this machine knows. Name the file of its CA"),
        (right.replace(server, f"127.0.0.1:{secure_redis.port}"), "not for the host in ROWCAST_REDIS_URL"),
        (f"rediss://{server}/0?ssl_ca_certs={ca}", "asks for a certificate of its client. Name it and its key"),
        (right.replace("s3%2Fcret", "wrong"), "refuses the user or the password in ROWCAST_REDIS_URL"),
    ):
        # Redis sends the reason and closes the connection; the second may overtake the first.
        until(lambda url=url, fix=fix: fix in fault_of(url), fix)
    stack = stack_on(secure_redis)
    stack.environment["ROWCAST_REDIS_URL"] = right.replace(ca, other)
    for program in ("upkeep", "api", "worker"):
        assert stack.start(program, program).wait(timeout=60) == 2
        assert stack.log(program).startswith("The certificate of Redis is not signed by a CA")
        assert stack.log(program).count("\n") == 1


def fault_of(url: str) -> str:
    try:
        refuse_unusable(url)
    except UnusableRedis as error:
        return error.detail
    return ""


def test_a_redis_cluster_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, "--cluster-enabled", "yes") as server, pytest.raises(UnusableRedis, match="a Redis Cluster"):
        refuse_unusable(server.url)


class Load:
    """Callers that send a row, and one that sends files, again and again, while Redis fails over."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._ends = stack, threading.Event()
        self.rows: list[str] = []
        self.files: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(one,)) for one in (self.rows, self.rows, self.files)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _send(self, accepted: list[str]) -> None:
        with http_client(self._stack.url, timeout=30) as http:
            while not self._ends.wait(0.02 if accepted is self.rows else 0.3):
                if accepted is self.rows:
                    answer = http.post("/predict", json=ROW)
                else:
                    answer = http.post("/predict?model=fixed", content=CSV, headers={"Content-Type": "text/csv"})
                assert answer.status_code in (202, 503), answer.text
                if answer.status_code == 202:
                    accepted.append(answer.json()["id"])


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    folder = tmp_path / "servers"
    folder.mkdir()
    with watched_by_sentinels(folder, documented_user(PASSWORD)) as servers:
        yield servers


def test_a_fail_over_under_load_costs_a_delay_and_only_what_the_replica_lacked(
    sentinels: Sentinels, stack_on: Callable[..., Stack]
) -> None:
    stack = stack_on(sentinels)
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker()
    with http_client(stack.url, timeout=90) as http:
        (stack.folder / "stuck").touch()
        held = submit(http, "stuck")
        begun(http, held)
        load = Load(stack)
        until(lambda: len(load.rows) > 50 and load.files, "there is load")
        sentinels.kill(sentinels.primary)
        until(lambda: sentinels.known_primary() == sentinels.replica, "the Sentinels have chosen the replica")
        before = len(load.rows), len(load.files)
        until(lambda: len(load.rows) > before[0] + 20 and len(load.files) > before[1], "work is accepted again")
        load.end()
        (stack.folder / "stuck").unlink()
        for id in (held, *load.files):
            assert_whole(stack, http, id)
        found = [id for id in load.rows if http.get(f"/jobs/{id}").status_code == 200]
        assert len(found) >= len(load.rows) - 2, "at most what two callers sent in the moment of the kill is lost"
        for id in found:
            assert wait(http, id)["result"] == {"prediction": 1}
        stack.audit()

        # The server from before comes back as a replica, falls behind, and becomes the primary.
        sentinels.start_server(sentinels.primary, primary=sentinels.replica)
        sentinels.until_replicated(sentinels.replica, sentinels.primary)
        with ThreadPoolExecutor() as pool, sentinels.cut_off(sentinels.primary, sentinels.replica):
            file, row = submit(http, "fixed"), http.post("/predict", json=ROW).json()["id"]
            assert_whole(stack, http, file)
            assert wait(http, row)["result"] == {"prediction": 1}
            (stack.folder / "stuck").touch()
            waiting = pool.submit(
                httpx.post, f"{stack.url}/predict?wait=60", json={**ROW, "model": "stuck"}, timeout=90
            )
            until(lambda: stack.redis.zcard(key("due")), "the row is held")
            sentinels.kill(sentinels.replica)
            (stack.folder / "stuck").unlink()
        until(lambda: sentinels.known_primary() == sentinels.primary, "the Sentinels have chosen the other one")
        until(lambda: http.get(f"/jobs/{file}").status_code == 200, "the file's job is made again from the store")
        assert_whole(stack, http, file)
        assert http.get(f"/jobs/{row}").status_code == 404
        answer = waiting.result()  # 202 if the gateway looked while no server was the primary
        assert answer.status_code == 202 or "Redis has lost the row" in answer.json()["detail"], answer.text

        # With the setting, a row is accepted only if a replica has it.
        kill_group(stack.processes.pop("gateway"))
        stack.environment["ROWCAST_REDIS_REPLICAS"] = "1"
        stack.start_gateway()
        refused = http.post("/predict", json=ROW)
        assert refused.status_code == 503, refused.text
        lacks = "0 of 1 replicas of Redis (ROWCAST_REDIS_REPLICAS)"
        until(lambda: lacks in stack.log("gateway"), "the gateway's log has the reason")
        # Redis itself can refuse to write without a replica. Then all programs wait.
        sentinels.client(sentinels.primary).config_set("min-replicas-to-write", 1)
        refused = http.post("/predict", json=ROW)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:rowcast:problem:redis-refuses"), refused.text
        sentinels.start_server(sentinels.replica, primary=sentinels.primary)
        until(lambda: http.post("/predict?wait=60", json=ROW).json().get("prediction") == 1, "a replica has the row")
    stack.audit()
