"""Keys, roles and limits: real gateways with a file of keys, and one without."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from programs import RedisServer, Stack, http_client, until
from record_jobs import lease_of

from api.app import create_app
from rowcast import Client, api_keys
from rowcast.api_keys import Role
from rowcast.client import ExpiredKey, errors
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import Vitals, WorkerRegistry
from rowcast.settings import Settings

ROW = {"features": [25, 3]}
CSV = {"Content-Type": "text/csv"}
GOOD = b"age,pclass\n25,3\n"
ROLES = {
    "alice": Role.USER,
    "bob": Role.USER,
    "root": Role.ADMIN,
    "dashboard": "read",
    "deployer": "models",
    "tester": "predict+models",
}


class Guarded:
    """A gateway with keys, and a client of it for each."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.file = stack, stack.folder / "keys"
        self.secrets: dict[str, str] = {}
        for name, role in ROLES.items():
            self.secrets[name] = api_keys.new(self.file, name, role)
        stack.environment["ROWCAST_API_KEYS_FILE"] = str(self.file)
        stack.start_gateway()

    def client(self, name: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.secrets[name]}"} if name else {}
        return http_client(self.stack.url, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def guarded(make_stack: Callable[..., Stack]) -> Guarded:
    return Guarded(make_stack(ROWCAST_LOG_LEVEL="debug", ROWCAST_MAX_JOBS_PER_KEY="40"))


@pytest.fixture
def nobody(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


@pytest.fixture
def alice(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("alice") as client:
        yield client


@pytest.fixture
def bob(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("bob") as client:
        yield client


@pytest.fixture
def root(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.client("root") as client:
        yield client


def events(guarded: Guarded, name: str) -> list[dict]:
    """Returns the lines of this name in the gateway's log."""
    lines = [json.loads(line) for line in guarded.stack.log("gateway").splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def made(client: httpx.Client) -> str:
    """Makes a job, and returns its id."""
    response = client.post("/predict", content=GOOD, headers=CSV)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def problem_of(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["request_id"] == response.headers["X-Request-ID"]
    return problem


def test_every_call_but_those_of_probes_asks_for_a_key(nobody: httpx.Client, settings: Settings) -> None:
    requests_made = 0
    for rule in create_app(settings).url_map.iter_rules():
        path = re.sub(r"<(job:)?id>", new_id(), rule.rule)
        if re.fullmatch(
            r"/(health|ready|ping|v2/health/(live|ready)|metrics|metrics/cluster|openapi\.json|llms\.txt|docs|docs\.md|(docs|static)/.*)",
            path,
        ):
            continue
        for method in rule.methods or set():
            response = nobody.request(method, path)
            assert response.status_code == 401, (method, path)
            assert response.headers["WWW-Authenticate"] == "Bearer"
            requests_made += 1
    assert requests_made > 20
    assert nobody.get("/health").status_code == 200
    assert nobody.get("/ready").json()["checks"]["redis"]["ok"]
    problem_of(nobody.get("/what/there/never/was"), 401)


def test_either_header_carries_the_key(nobody: httpx.Client, guarded: Guarded) -> None:
    key = guarded.secrets["alice"]
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer {key}"},
        {"X-API-Key": key},
        {"X-API-Key": key, "Authorization": "Basic YTpi"},
    ):
        assert nobody.get("/jobs", headers=headers).status_code == 200, headers


def test_nothing_else_is_a_key(nobody: httpx.Client, guarded: Guarded) -> None:
    key = guarded.secrets["alice"]
    digest = guarded.file.read_text().splitlines()[0].rsplit(":", 1)[1]
    for value in (
        "", "Bearer", "Bearer:", key, f"Basic {key}", f"Bearer {key}x", f"Bearer {key[:-1]}", f"Bearer {key.upper()}",
        f"Bearer {digest}", "Bearer alice", f"Bearer {key} {key}", f"Bearer {key}, Bearer {key}", b"Bearer \xff\xc3",
    ):  # fmt: skip
        response = nobody.get("/jobs", headers={"Authorization": value})
        assert key not in problem_of(response, 401)["detail"]
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert nobody.get("/jobs", params={"api_key": key}).status_code == 401
    twice = [("X-API-Key", key), ("X-API-Key", key)]
    assert nobody.get("/jobs", headers=twice).status_code == 401


def test_an_upload_without_a_key_is_refused_and_leaves_no_file(nobody: httpx.Client, guarded: Guarded) -> None:
    before = guarded.stack.files()

    def large() -> Iterator[bytes]:
        yield b"age,pclass\n"
        yield from [b"25,3\n" * 10_000] * 400

    problem_of(nobody.post("/predict", content=large(), headers=CSV), 401)
    assert guarded.stack.files() == before


def test_a_user_sees_its_own_jobs_and_nobody_elses(alice: httpx.Client, bob: httpx.Client, root: httpx.Client) -> None:
    ids = {"alice": made(alice), "bob": made(bob), "root": made(root)}
    for client, own in ((alice, {"alice"}), (bob, {"bob"}), (root, set(ids))):
        for owner, id in ids.items():
            assert client.get(f"/jobs/{id}").status_code == (200 if owner in own else 404)
        listed = {job["id"] for job in client.get("/jobs", params={"limit": 200}).json()["jobs"]}
        assert listed & set(ids.values()) == {ids[owner] for owner in own}
    others, never = f"/jobs/{ids['bob']}", f"/jobs/{new_id()}"
    calls = ["GET ", "GET ?wait=1", "GET /result", "GET /errors", "POST /cancel", "DELETE "]
    for method, rest in (call.split(" ") for call in calls):
        theirs, unknown = (problem_of(alice.request(method, place + rest), 404) for place in (others, never))
        assert theirs["detail"].replace(others[6:], "") == unknown["detail"].replace(never[6:], "")
    assert bob.get(others).json()["status"] == "queued"
    assert root.post(f"{others}/cancel").json()["status"] == "cancelled"
    assert bob.delete(others).status_code == 204
    assert (bob.get(others).status_code, root.get(others).status_code, alice.get(others).status_code) == (410, 410, 404)


def test_of_the_work_of_others_a_user_sees_only_counts(
    guarded: Guarded, alice: httpx.Client, bob: httpx.Client, root: httpx.Client, settings: Settings
) -> None:
    id = alice.post("/predict", content=GOOD, headers=CSV).json()["id"]
    workers = WorkerRegistry(guarded.stack.redis)
    workers.heartbeat("node", 1)
    try:
        lease_of(Leases(Scripts(guarded.stack.redis, settings), "node/7"), id, 0)
        seen = {client: client.get("/queue").json() for client in (alice, bob, root)}
        assert [queue["workers"][0]["work"][0]["job"] for queue in seen.values()] == [id, None, id]
        assert len({queue["unfinished_jobs"] for queue in seen.values()}) == 1
        assert id not in bob.get("/ui/queue").text
        assert "another user" in bob.get("/ui/queue").text
        assert id in alice.get("/ui/queue").text
        for member in ("chunks", "log"):
            assert [client.get(f"/jobs/{id}/{member}").status_code for client in seen] == [200, 404, 200]
        assert bob.get(f"/ui/jobs/{id}/progress").status_code == 404
    finally:
        workers.remove("node", 1)
        alice.delete(f"/jobs/{id}")


def test_an_idempotency_key_is_its_owners(alice: httpx.Client, bob: httpx.Client) -> None:
    first, again, others = (
        client.post("/predict", json=ROW, headers={"Idempotency-Key": "trip"}) for client in (alice, alice, bob)
    )
    assert first.json()["id"] == again.json()["id"] != others.json()["id"]
    assert (again.status_code, others.status_code) == (200, 202)


def test_an_admin_moves_an_alias_and_a_user_may_not(alice: httpx.Client, root: httpx.Client) -> None:
    place, body = "/models/titanic/aliases/champion", {"version": "1"}
    assert "admin" in problem_of(alice.put(place, json=body), 403)["detail"]
    assert "champion" not in alice.get("/models/titanic").json()["aliases"]
    response = root.put(place, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["aliases"]["champion"] == "1"
    assert alice.post("/predict?model=titanic@champion", json=ROW).json()["model"]["version"] == "1"


def test_a_key_may_do_what_its_scopes_say_and_nothing_else(guarded: Guarded, alice: httpx.Client) -> None:
    id = made(alice)
    alias = "/models/titanic/aliases/candidate"
    statuses = {}
    for name in ("dashboard", "deployer", "tester"):
        with guarded.client(name) as client:
            statuses[name] = [
                client.post("/predict", json=ROW).status_code,
                client.put(alias, json={"version": "1"}).status_code,
                client.get("/models").status_code,
                client.get(f"/jobs/{id}").status_code,
                client.get(f"/ui/jobs/{id}").status_code,
                client.post(f"/jobs/{id}/cancel").status_code,
                client.post(f"/ui/jobs/{id}/delete").status_code,
                client.delete(f"/jobs/{id}").status_code,
            ]
    assert statuses == {
        "dashboard": [403, 403, 200, 200, 200, 403, 403, 403],
        "deployer": [403, 200, 200, 404, 404, 403, 403, 403],
        "tester": [202, 200, 200, 404, 404, 404, 404, 404],
    }
    assert alice.get(f"/jobs/{id}").json()["status"] == "queued"


def test_a_refusal_names_the_scope_that_is_missing(guarded: Guarded) -> None:
    with guarded.client("dashboard") as client:
        refused = problem_of(client.post("/predict", json=ROW), 403)
    assert refused["type"] == "urn:rowcast:problem:forbidden"
    assert refused["detail"] == (
        "The API key 'dashboard' has the role `read`. Only a key with the scope `predict` or the role "
        "`admin` may do this."
    )


def test_a_key_is_valid_to_the_end_of_its_last_day(guarded: Guarded) -> None:
    today = datetime.now(UTC).date()
    lines = guarded.file.read_text()
    secret = api_keys.new(guarded.file, "guest", expires=today)
    with http_client(guarded.stack.url, headers={"X-API-Key": secret}) as guest:
        until(lambda: guest.get("/jobs").status_code == 200, "the key is known, and valid today")
        yesterday = today - timedelta(days=1)
        guarded.file.write_text(guarded.file.read_text().replace(f":{today}", f":{yesterday}"))
        until(lambda: guest.get("/jobs").status_code == 401, "the key has expired")
        refused = problem_of(guest.post("/predict", content=GOOD, headers=CSV), 401)
        assert guest.get("/health").status_code == 200
    assert refused["type"] == "urn:rowcast:problem:expired-key"
    assert refused["detail"] == f"The API key 'guest' was valid until {yesterday} (UTC)."
    with Client(guarded.stack.url, secret) as client, pytest.raises(ExpiredKey):
        client.models()
    guarded.file.write_text(lines)
    with http_client(guarded.stack.url, headers={"X-API-Key": secret}) as guest:
        until(lambda: guest.get("/jobs").json()["type"].endswith("unknown-key"), "the key is gone")
    read = [(event["added"], event["changed"], event["removed"]) for event in events(guarded, "keys_read")]
    assert [change for change in read if ["guest"] in change] == [
        (["guest"], [], []),
        ([], ["guest"], []),
        ([], [], ["guest"]),
    ]


def test_each_act_of_an_admin_has_a_line_in_the_log(guarded: Guarded, alice: httpx.Client, root: httpx.Client) -> None:
    first, second = made(alice), made(alice)
    before = len(events(guarded, "admin_act"))
    root.put("/models/titanic/aliases/champion", json={"version": "1"})
    root.post(f"/jobs/{first}/cancel")
    root.post(f"/jobs/{first}/retry")
    root.post(f"/ui/jobs/{first}/cancel")
    root.post("/jobs/actions", json={"action": "cancel", "filter": {"status": "failed"}, "dry_run": True})
    root.delete(f"/jobs/{first}")
    root.post("/queue/pause", params={"queue": "batch"})
    root.post("/queue/resume")
    root.put("/models/titanic/aliases/champion/shadow", json={"model": "titanic@1"})
    with guarded.client("deployer") as deployer:
        deployer.put("/models/titanic/aliases/champion", json={"version": "9"})
    alice.post("/queue/pause")
    for client in (alice, root):
        client.get(f"/jobs/{second}")
        client.delete(f"/jobs/{made(client)}") if client is alice else made(client)
    acts = events(guarded, "admin_act")[before:]
    alias = "PUT /models/<name>/aliases/<alias>"
    assert [(act["key"], act["act"], act["target"], act["status"]) for act in acts] == [
        ("root", alias, "/models/titanic/aliases/champion", 200),
        ("root", "POST /jobs/<id>/cancel", f"/jobs/{first}/cancel", 202),
        ("root", "POST /jobs/<id>/retry", f"/jobs/{first}/retry", 202),
        ("root", "POST /ui/jobs/<id>/cancel", f"/ui/jobs/{first}/cancel", 303),
        ("root", "POST /jobs/actions", "/jobs/actions", 200),
        ("root", "DELETE /jobs/<id>", f"/jobs/{first}", 204),
        ("root", "POST /queue/pause", "/queue/pause", 200),
        ("root", "POST /queue/resume", "/queue/resume", 200),
        ("root", f"PUT {alias.removeprefix('PUT ')}/shadow", "/models/titanic/aliases/champion/shadow", 422),
        ("deployer", alias, "/models/titanic/aliases/champion", 404),
        ("alice", "POST /queue/pause", "/queue/pause", 403),
    ]
    assert all(act["request_id"] for act in acts)


def test_an_admin_pauses_work_and_a_user_may_not(alice: httpx.Client, root: httpx.Client) -> None:
    for call in ("pause", "resume"):
        problem_of(alice.post(f"/queue/{call}"), 403)
    assert root.post("/queue/pause").json()["paused"][0]["what"] == "all"
    assert alice.get("/queue/pauses").json()["paused"][0]["what"] == "all"
    assert root.post("/queue/resume").json()["paused"] == []


def test_where_the_gateway_is_open_anybody_moves_an_alias(http: httpx.Client) -> None:
    place = "/models/titanic/aliases/champion"
    assert http.put(place, json={"version": "1"}).json()["aliases"]["champion"] == "1"
    assert http.put(place, json={"version": "1", "expected": "1"}).status_code == 200
    moved = problem_of(http.put(place, json={"version": "1", "expected": None}), 409)
    assert moved["type"] == "urn:rowcast:problem:alias-moved"
    found = http.get(place).json()
    assert (found["version"], found["earlier"], len(found["moves"])) == ("1", None, 1)
    problem_of(http.get("/models/titanic/aliases/nobody"), 404)
    for body in ({}, {"version": 1}, {"version": "1", "more": 1}, {"version": "1", "expected": 1}, [], "1"):
        problem_of(http.put(place, json=body), 422)
    problem_of(http.put(place, content=b"{", headers={"Content-Type": "application/json"}), 400)
    problem_of(http.put(place, content=b"1", headers={"Content-Type": "text/plain"}), 415)
    problem_of(http.put(place, json={"version": "2"}), 404)
    problem_of(http.put("/models/nothing/aliases/champion", json={"version": "1"}), 404)
    problem_of(http.put("/models/titanic/aliases/7", json={"version": "1"}), 422)
    problem_of(http.put("/models/titanic/aliases/..%2fx", json={"version": "1"}), 404)


def test_keys_that_are_made_or_removed_apply_while_the_gateway_runs(guarded: Guarded) -> None:
    secret = api_keys.new(guarded.file, "late")
    with http_client(guarded.stack.url, headers={"X-API-Key": secret}) as late:
        until(lambda: late.get("/jobs").status_code == 200, "the new key is known")
        api_keys.remove(guarded.file, "late")
        until(lambda: late.get("/jobs").status_code == 401, "the old key no longer works")


def test_a_file_that_is_spoilt_while_the_gateway_runs_changes_no_key(guarded: Guarded, alice: httpx.Client) -> None:
    text = guarded.file.read_text()
    guarded.file.write_text(text + "nonsense\n")

    def is_told() -> bool:
        assert alice.get("/models").status_code == 200
        return "key_file_reload_failed" in guarded.stack.log("gateway")

    until(is_told, "the log names the bad line")
    guarded.file.write_text(text)


def test_a_key_has_its_own_limits_and_so_has_an_older_worker(
    guarded: Guarded, make_stack: Callable[..., Stack]
) -> None:
    few = Guarded(make_stack(ROWCAST_MAX_JOBS_PER_KEY="2", ROWCAST_MAX_FILES_PER_KEY="1"))
    with few.client("alice") as alice, few.client("bob") as bob:
        first, _ = made(alice), made(alice)
        files = few.stack.files()
        for response in (alice.post("/predict", json=ROW), alice.post("/predict", content=GOOD, headers=CSV)):
            assert "ROWCAST_MAX_JOBS_PER_KEY" in problem_of(response, 503)["detail"]
            assert response.headers["Retry-After"] == "10"
        assert few.stack.files() == files
        made(bob)
        alice.post(f"/jobs/{first}/cancel")
        made(alice)
        sent = {"data": {"purpose": "batch"}, "files": {"file": ("a.jsonl", b"{}")}}
        assert [one.post("/v1/files", **sent).status_code for one in (alice, bob)] == [200, 200]
        error = problem_of(alice.post("/v1/files", **sent), 422)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "files-full")
        assert "ROWCAST_MAX_FILES_PER_KEY" in error["message"]
        workers = WorkerRegistry(few.stack.redis)
        workers.heartbeat("old:1", 2, Vitals(5.0, None))
        few.stack.redis.hdel("rowcast:worker:old:1", "row_options")  # as an older release writes it
        refusal = problem_of(bob.post("/predict", json={**ROW, "top": 1}), 503)
        assert refusal["type"].endswith(":workers-outdated")
        assert bob.post("/predict", json={**ROW, "probabilities": True}).status_code == 202


def test_over_the_rate_limit_a_key_waits_and_others_do_not(make_stack: Callable[..., Stack]) -> None:
    slow = Guarded(make_stack(ROWCAST_RATE_LIMIT="5"))
    with slow.client("alice") as alice, slow.client("bob") as bob, slow.client() as nobody:
        for _ in range(10):  # requests that no key pays for
            assert nobody.get("/jobs").status_code == 401
            assert alice.get("/health").status_code == 200
        answers = [alice.get("/models") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        refused = answers[-1]
        assert "ROWCAST_RATE_LIMIT" in problem_of(refused, 429)["detail"]
        seconds = int(refused.headers["Retry-After"])
        assert 1 <= seconds <= 60
        assert refused.headers["RateLimit-Policy"] == '"requests";q=5;w=60'
        assert refused.headers["RateLimit"] == f'"requests";r=0;t={seconds}'
        problem_of(alice.post("/predict", json=ROW), 429)
        assert bob.get("/models").status_code == 200
        assert slow.stack.redis.keys("rowcast:requests:*")
        assert all(0 < slow.stack.redis.ttl(name) <= 120 for name in slow.stack.redis.keys("rowcast:requests:*"))


def test_where_redis_is_away_nobody_is_over_the_limit(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    server.stop()
    stack = Stack(server, tmp_path, trained, {"ROWCAST_RATE_LIMIT": "1"})
    try:
        lone = Guarded(stack)
        with lone.client("alice") as alice:
            assert [alice.get("/models").status_code for _ in range(3)] == [200] * 3
            assert alice.post("/predict", json=ROW).status_code == 503
        assert stack.log("gateway").count("not_counted") == 1
    finally:
        stack.stop_all()


def test_the_client_sends_its_key(guarded: Guarded) -> None:
    with Client(guarded.stack.url, guarded.secrets["alice"]) as client:
        assert client.models()
    with Client(guarded.stack.url, "wrong") as client, pytest.raises(errors.Unauthorized):
        client.models()


def test_a_bad_line_stops_the_start_with_one_line(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    file = stack.folder / "keys"
    file.write_text("# keys\nalice:user:rc_0123456789\n")
    process = stack.start("gateway", "api", "--port", str(stack.port), ROWCAST_API_KEYS_FILE=str(file))
    assert process.wait(timeout=30) == 2
    assert (
        stack.log("gateway")
        == f"{file}, line 2: the line must have the form NAME:ROLE:SHA256 or NAME:ROLE:SHA256:EXPIRES; "
        "SHA256 must be 64 hexadecimal digits\n"
    )


def test_beyond_loopback_it_takes_keys(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    host = ["api", "--host", "0.0.0.0", "--port", str(stack.port)]
    assert stack.start("gateway", *host).wait(timeout=30) == 2
    assert "without keys" in stack.log("gateway")
    api_keys.new(stack.folder / "keys", "alice")
    stack.start("gateway", *host, ROWCAST_API_KEYS_FILE=str(stack.folder / "keys"))
    until(lambda: "gateway_has_keys" in stack.log("gateway"), "the gateway starts")
    until(stack._healthy, "the gateway answers")
    assert httpx.get(f"{stack.url}/jobs").status_code == 401


def test_no_key_is_in_the_log_and_its_name_is(guarded: Guarded, alice: httpx.Client, nobody: httpx.Client) -> None:
    wrong = "rc_this-is-no-key-that-there-is"
    for headers in ({"Authorization": f"Bearer {wrong}"}, {"X-API-Key": wrong}):
        assert nobody.get("/jobs", headers=headers).status_code == 401
    id = made(alice)
    log = guarded.stack.log("gateway")
    assert id in log
    assert '"key": "alice"' in log
    assert not [secret for secret in (*guarded.secrets.values(), wrong) if secret in log]


def test_files_of_requests_and_batches_belong_to_their_owner(guarded: Guarded, nobody: httpx.Client) -> None:
    row = {"custom_id": "a", "method": "POST", "url": "/predict", "body": ROW}
    sent = {"data": {"purpose": "batch"}, "files": {"file": ("a.jsonl", json.dumps(row))}}
    with guarded.client("alice") as alice, guarded.client("bob") as bob, guarded.client("root") as root:
        file = alice.post("/v1/files", **sent).json()["id"]
        asked = {"input_file_id": file, "endpoint": "/predict", "completion_window": "24h"}
        batch = alice.post("/v1/batches", json=asked).json()["id"]
        paths = (f"/v1/files/{file}", f"/v1/files/{file}/content", f"/v1/batches/{batch}")
        for path in paths:
            assert [one.get(path).status_code for one in (alice, bob, root, nobody)] == [200, 404, 200, 401]
        for path in ("/v1/files", "/v1/batches"):
            assert [len(one.get(path).json()["data"]) for one in (alice, bob, root)] == [1, 0, 1]
        assert bob.post("/v1/batches", json=asked).json()["error"]["code"] == "unknown-file"
        assert bob.post(f"/v1/batches/{batch}/cancel").status_code == bob.delete(paths[0]).status_code == 404
        with guarded.client("dashboard") as dashboard:
            assert dashboard.post("/v1/files", **sent).json()["error"]["type"] == "permission_error"
        assert nobody.get("/v1/files").json()["error"]["type"] == "authentication_error"
        assert alice.delete(paths[0]).json()["deleted"]
        assert alice.delete(f"/jobs/{batch.removeprefix('batch_')}").status_code == 204
