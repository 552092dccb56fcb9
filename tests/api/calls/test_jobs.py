"""The list of jobs with its filter, and bulk actions."""

from collections.abc import Iterator

import httpx
import pytest
from programs import Stack, http_client

CSV = b"age,pclass\n25,3\n"


@pytest.fixture(scope="module")
def quiet(make_stack) -> Stack:
    """A gateway of the module's own without workers: its jobs stay queued."""
    stack = make_stack()
    stack.start_gateway()
    return stack


@pytest.fixture
def client(quiet: Stack) -> Iterator[httpx.Client]:
    with http_client(quiet.url, timeout=60) as http:
        http.post("/jobs/actions", json={"action": "delete", "filter": {}}).raise_for_status()
        yield http


def submit(client: httpx.Client, **options: str) -> str:
    response = client.post("/predict", content=CSV, headers={"Content-Type": "text/csv"}, params=options)
    assert response.status_code == 202, response.text
    return response.json()["id"]


def listed(client: httpx.Client, **matching: str) -> list[str]:
    found, path, params = [], "/jobs", {"limit": 2, **matching}
    while path:
        page = client.get(path, params=params).json()
        found += [job["id"] for job in page["jobs"]]
        path, params = page["next"], None
    return found


def test_jobs_are_found_by_status_model_tag_and_time(client: httpx.Client) -> None:
    nightly = [submit(client, tags="run:nightly,team:risk") for _ in range(3)]
    plain = submit(client)
    client.post(f"/jobs/{plain}/cancel")
    assert listed(client) == [plain, *reversed(nightly)]
    assert listed(client, status="cancelled") == [plain]
    assert listed(client, tag="run:nightly") == listed(client, tag="team") == [*reversed(nightly)]
    assert listed(client, tag="run:weekly") == []
    assert listed(client, model="titanic") == listed(client, model="titanic@1") == [plain, *reversed(nightly)]
    assert listed(client, model="other") == []
    made = client.get(f"/jobs/{nightly[1]}").json()["created_at"]
    assert set(listed(client, since=made)) >= {*nightly[1:], plain}
    assert nightly[1] not in listed(client, until=made)
    assert listed(client, until="2020-01-01") == []
    assert client.get(f"/jobs/{nightly[0]}").json()["tags"] == {"run": "nightly", "team": "risk"}


def test_tags_may_be_an_object_in_json_and_a_part_of_a_form(client: httpx.Client) -> None:
    as_object = client.post("/predict", json={"instances": [[25, 3]], "tags": {"run": "nightly"}}).json()
    in_form = client.post("/predict", files={"file": ("in.csv", CSV)}, data={"tags": "run:nightly"}).json()
    assert as_object["tags"] == in_form["tags"] == {"run": "nightly"}


@pytest.mark.parametrize(
    "tags", ["nightly", "a b:c", ":x", ",".join(f"t{number}:x" for number in range(17)), f"a:{'x' * 129}"]
)
def test_tags_that_are_none_are_refused(client: httpx.Client, tags: str) -> None:
    response = client.post("/predict", content=CSV, headers={"Content-Type": "text/csv"}, params={"tags": tags})
    assert response.status_code == 422
    assert "tags" in response.json()["detail"]


def test_every_job_that_matches_is_counted_then_acted_on(client: httpx.Client) -> None:
    nightly = {submit(client, tags="run:nightly") for _ in range(3)}
    kept = submit(client)

    def act(action: str, *, dry_run: bool = False) -> dict:
        body = {"action": action, "filter": {"tag": "run:nightly"}, "dry_run": dry_run}
        return {**client.post("/jobs/actions", json=body).json(), "until": "now"}

    assert act("cancel", dry_run=True) == {
        "action": "cancel",
        "dry_run": True,
        "matched": 3,
        "acted": 0,
        "failed": 0,
        "until": "now",
    }
    assert act("retry", dry_run=True)["matched"] == 0, "none of them has failed"
    assert act("cancel") == {
        "action": "cancel",
        "dry_run": False,
        "matched": 3,
        "acted": 3,
        "failed": 0,
        "until": "now",
    }
    assert set(listed(client, status="cancelled")) == nightly
    assert act("cancel")["matched"] == 0
    assert act("retry")["acted"] == 3
    assert set(listed(client, status="queued")) == {*nightly, kept}
    assert act("delete")["acted"] == 3
    assert listed(client) == [kept]


def test_a_count_says_before_which_time_its_jobs_were_made(client: httpx.Client) -> None:
    def act(*, dry_run: bool, **taken: str) -> dict:
        body = {"action": "delete", "filter": {"tag": "run:bounded", **taken}, "dry_run": dry_run}
        return client.post("/jobs/actions", json=body).raise_for_status().json()

    counted_one = submit(client, tags="run:bounded")
    count = act(dry_run=True)
    later = submit(client, tags="run:bounded")
    assert act(dry_run=False, until=count["until"])["acted"] == count["matched"] == 1
    assert [client.get(f"/jobs/{id}").status_code for id in (counted_one, later)] == [410, 200]
    asked = act(dry_run=True, until="2026-01-31T09:30:00Z")
    assert (asked["matched"], asked["until"]) == (0, "2026-01-31T09:30:00.000Z"), "an earlier bound stays"
    client.delete(f"/jobs/{later}")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "action"),
        ({"action": "cancel"}, "filter"),
        ({"action": "explode", "filter": {}}, "action"),
        ({"action": "cancel", "filter": {}, "dry_run": "yes"}, "dry_run"),
        ({"action": "cancel", "filter": {"stauts": "failed"}}, "status"),
        ({"action": "cancel", "filter": {"status": 5}}, "status"),
        ({"action": "cancel", "filter": {"since": "yesterday"}}, "since"),
        ({"action": "cancel", "filter": {}, "more": 1}, "action"),
    ],
)
def test_a_bulk_action_that_is_wrong_does_nothing(client: httpx.Client, body: dict, named: str) -> None:
    id = submit(client)
    response = client.post("/jobs/actions", json=body)
    assert response.status_code == 422
    assert named in response.text
    assert client.get(f"/jobs/{id}").json()["status"] == "queued"
