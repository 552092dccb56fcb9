"""A shadow scores a share of an alias's files, too: disagreement is counted, and nothing else in the job changes."""

import hashlib
import json
import pickle
from typing import Any

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
from metrics import samples, total
from parquet_files import PARQUET, parquet
from programs import Stack, until
from registering import register
from resumable import append, create
from scored import submit, wait
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ALIAS = "shaded@production"
FRAME = pd.DataFrame({"a": [float(number % 100) for number in range(1_000)], "b": range(1_000)})
BODY = FRAME.to_csv(index=False).encode() + b"x,1\n"
"""A thousand rows, and one that no model can read."""


@pytest.fixture(scope="module")
def models(stack: Stack) -> dict[str, DecisionTreeClassifier]:
    """Registers `shaded`: versions 1 and 2 differ in each row with an `a` of 50 to 54. The third needs `c`, too."""
    found = {}
    for version, limit, columns in (("1", 50, ["a"]), ("2", 55, ["a"]), ("3", 50, ["a", "c"])):
        frame = pd.DataFrame([[limit - 1] * len(columns), [limit] * len(columns)], columns=columns, dtype=float)
        found[version] = DecisionTreeClassifier(max_depth=1).fit(frame, [0, 1])
        register(stack.models, "shaded", found[version], columns)
    registry = Registry(Storage(str(stack.models)))
    registry.set_alias("shaded", "production", "1")
    number = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [0.0, 1.0])
    draft = Draft(
        task="regression", features=[Feature(name="a", kind="number", missing=False)], libraries={"python": "3"}
    )
    registry.register("number", pickle.dumps(number), draft)
    return found


def set_shadow(http: httpx.Client, place: str, shadow: str, share: float = 1) -> dict[str, Any]:
    name, _, alias = place.partition("@")
    answer = http.put(f"/models/{name}/aliases/{alias}/shadow", json={"model": shadow, "share": share})
    assert answer.status_code == 200, answer.text
    return answer.json()


def compared(http: httpx.Client, id: str, chunks: int = 1) -> dict[str, Any]:
    """Returns the job when its shadow has scored all of it, or has failed to."""

    def is_compared() -> bool:
        shadow = http.get(f"/jobs/{id}").json()["shadow"]
        return shadow["errors"] > 0 or shadow["rows"] + shadow["failed"] >= chunks

    until(is_compared, "the shadow has scored the job")
    return http.get(f"/jobs/{id}").json()


def result_of(http: httpx.Client, id: str) -> bytes:
    return http.get(f"/jobs/{id}/result").content


def test_a_shadow_counts_how_far_it_differs_and_changes_nothing_else(
    stack: Stack, models: dict[str, DecisionTreeClassifier], client: httpx.Client
) -> None:
    plain = wait(client, submit(client, ALIAS, BODY))
    assert plain["shadow"] is None
    set_shadow(client, ALIAS, "shaded@2")
    job = compared(client, wait(client, submit(client, ALIAS, BODY))["id"])

    ours, theirs = (models[version].predict(FRAME[["a"]]) for version in "12")
    differing = int((ours != theirs).sum())
    assert differing == 50
    wanted = {"model": "shaded@2", "rows": 1_000, "differing": differing, "failed": 0, "errors": 0, "unfinished": 0}
    assert job["shadow"] == wanted

    assert result_of(client, job["id"]) == result_of(client, plain["id"])
    ignored = {"id", "created_at", "started_at", "finished_at", "expires_at", "links", "cost", "shadow"}
    one, other = ({name: value for name, value in each.items() if name not in ignored} for each in (plain, job))
    for each in (one, other):
        for name in ("rows_per_second", "eta_seconds"):
            each["progress"].pop(name)
    assert other == one
    assert job["cost"]["chunks"] == job["cost"]["attempts"] == plain["cost"]["attempts"]
    receipt, before = (client.get(f"/jobs/{each['id']}/receipt").json() for each in (job, plain))
    assert "shaded@2" not in json.dumps(receipt)
    assert receipt.keys() == before.keys()

    found = samples(client)
    pair = {"model": "shaded", "version": "1", "shadow": "shaded@2"}
    counts = [total(found, "rowcast_shadow_rows_total", **pair, outcome=each) for each in ("same", "differing")]
    assert counts == [950, 50]
    place = client.get("/models/shaded/aliases/production").json()
    assert (place["shadow"]["model"], place["shadow"]["share"]) == ("shaded@2", 1)
    assert (place["shadow"]["counts"]["rows"], place["shadow"]["counts"]["differing"]) == (1_000, 50)
    assert "50 of 1,000 rows differ" in client.get("/ui/models/shaded@1").text
    assert "shaded@2</a>, 100%" in client.get("/ui/models").text
    assert "50 of 1,000 rows differ" in client.get(f"/ui/jobs/{job['id']}").text

    row = client.post("/predict?wait=60", json={"model": ALIAS, "features": {"a": 52}}).json()
    assert (row["prediction"], client.get(f"/jobs/{row['job']}").json()["shadow"]) == (1, None)
    pinned = client.get(f"/jobs/{submit(client, 'shaded@1', BODY)}").json()
    assert pinned["shadow"] is None, "a version's number resolves through no alias"
    arrow = client.post("/predict", content=parquet(FRAME), headers=PARQUET, params={"model": "shaded"}).json()
    assert compared(client, wait(client, arrow["id"])["id"])["shadow"] == wanted


def test_the_share_is_chosen_by_the_jobs_id(models: dict[str, DecisionTreeClassifier], client: httpx.Client) -> None:
    set_shadow(client, ALIAS, "shaded@2", 0.5)
    ids = [submit(client, ALIAS, b"a\n1\n") for _ in range(12)]
    for id in ids:
        fraction = int(hashlib.sha256(id.encode()).hexdigest()[:16], 16) / 2**64
        assert (client.get(f"/jobs/{id}").json()["shadow"] is not None) == (fraction < 0.5)
    set_shadow(client, ALIAS, "shaded@2", 1)
    path = create(client, model=ALIAS)
    set_shadow(client, ALIAS, "shaded@2", 0)
    resumed = append(client, path, 0, BODY, last=True).json()
    assert compared(client, wait(client, resumed["id"])["id"])["shadow"]["differing"] == 50, "it keeps its shadow"
    assert client.get(f"/jobs/{submit(client, ALIAS, BODY)}").json()["shadow"] is None


def test_a_shadow_that_cannot_be_compared_is_refused_with_the_reason(
    models: dict[str, DecisionTreeClassifier], client: httpx.Client
) -> None:
    for body, status, said in (
        ({"model": "shaded@1"}, 422, "a version cannot be its own shadow"),
        (
            {"model": "shaded@3"},
            422,
            "needs columns that shaded@1 does not have, so files for shaded@production may lack",
        ),
        ({"model": "number"}, 422, "number@1 does regression, and shaded@1 does classification"),
        ({"model": "shaded@22"}, 404, "has no version or alias '22'; the nearest is '2'"),
        ({"model": "shaded@2", "share": 1.5}, 422, "has to be between 0 and 1"),
        ({"version": "2"}, 422, '{"model": "titanic@4", "share": 0.1}'),
    ):
        answer = client.put("/models/shaded/aliases/production/shadow", json=body)
        assert (answer.status_code, said in answer.text.replace('\\"', '"')) == (status, True), answer.text
    assert client.put("/models/shaded/aliases/1/shadow", json={"model": "shaded@2"}).status_code == 404
    assert client.put("/models/shaded/aliases/productoin/shadow", json={"model": "shaded@2"}).status_code == 404


def test_the_command_sets_shows_and_removes_a_shadow_and_its_version_is_kept(
    stack: Stack,
    models: dict[str, DecisionTreeClassifier],
    client: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rowcast.cli.main import main

    monkeypatch.setenv("ROWCAST_REDIS_URL", stack.redis_url)
    registry = ["--models", str(stack.models)]

    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["models", *words])
        out, err = capsys.readouterr()
        return code, out + err

    code, said = run("shadow", ALIAS, "shaded@2", "--share", "0.25", *registry)
    assert (code, "has the shadow shaded@2 for a share of 0.25 of its files" in said) == (0, True), said
    code, said = run("show", ALIAS, *registry)
    assert "production: shaded@2 for 0.25 of the files; " in said
    assert "rows differ" in said
    assert "the shadow of shaded@production" in run("prune", "shaded", "--keep", "1", "--no-service", *registry)[1]
    code, said = run("rm", "shaded@2", "--yes", *registry)
    assert (code, "shaded@2 is the shadow of shaded@production" in said) == (2, True), said
    code, said = run("shadow", ALIAS, "shaded@1", "--url", stack.url)
    assert (code, "its own shadow" in said) == (2, True), said
    assert run("shadow", ALIAS, "--off", "--url", stack.url)[0] == 0
    assert client.get("/models/shaded/aliases/production").json()["shadow"] is None
    assert run("shadow", ALIAS, *registry)[0] == 2, "neither a version nor --off"
    register(stack.models, "orphan", estimators.Fixed().fit(np.zeros((2, 1)), [0, 1]), ["age"])
    register(stack.models, "orphan", estimators.Fixed().fit(np.zeros((2, 1)), [0, 1]), ["age"])
    assert run("alias", "orphan", "production", "1", *registry)[0] == 0
    assert run("shadow", "orphan@production", "orphan@2", *registry)[0] == 0
    assert run("rm", "orphan@1", "--yes", "--force", *registry)[0] == 0
    assert run("alias", "orphan", "production", "2", *registry)[0] == 0
    assert "shadow" not in run("show", "orphan@production", *registry)[1].lower(), "the shadow went with the alias"
    assert run("rm", "orphan", "--yes", "--force", *registry)[0] == 0


def test_no_shadow_can_harm_a_job(kept_stack: Stack, http: httpx.Client) -> None:
    registry = Registry(Storage(str(kept_stack.models)))
    age = Feature(name="age", kind="number", missing=False)
    broken = Draft(task="classification", features=[age], classes=[0, 1], libraries={"python": "3"})
    registry.register("broken", b"not a pickle", broken)
    register(kept_stack.models, "gone", estimators.Fixed().fit(np.zeros((2, 1)), [0, 1]), ["age"])
    kept_stack.start_worker("worker", 1, ROWCAST_CHUNK_TIMEOUT_SECONDS="1")
    body = b"age\n" + b"".join(b"%d\n" % number for number in range(20, 120))  # two chunks, with 66 in the first one
    wanted = b"age,prediction\n" + b"".join(b"%d,%d\n" % (number, number > 30) for number in range(20, 120))

    def counted(id: str) -> dict[str, int]:
        return {name: count for name, count in http.get(f"/jobs/{id}").json()["shadow"].items() if name != "model"}

    for name, counts in (
        ("picky", {"rows": 99, "failed": 1}),
        ("broken", {"errors": 2}),
        ("gone", {"errors": 2}),
        ("hanging", {"rows": 36, "unfinished": 1}),
        ("deadly", {"rows": 36, "unfinished": 1}),
    ):
        set_shadow(http, "fixed@latest", f"{name}@1")
        if name == "gone":
            registry.remove("gone", "1")
        job = wait(http, submit(http, "fixed", body))
        assert (job["status"], result_of(http, job["id"])) == ("succeeded", wanted)
        assert (job["progress"]["rows_failed"], job["cost"]["attempts"]) == (0, 2), "no chunk was tried twice"
        found = dict.fromkeys(("rows", "differing", "failed", "errors", "unfinished"), 0) | counts
        until(lambda id=job["id"], found=found: counted(id) == found, f"the shadow {name} is counted")
    lines = [json.loads(line) for line in kept_stack.log("worker").splitlines() if line.startswith("{")]
    failed = {line["shadow"]: line["reason"] for line in lines if line.get("event") == "shadow_failed"}
    assert failed.keys() == {"broken@1", "gone@1"}
    http.delete("/models/fixed/aliases/latest/shadow")
    registry.remove("broken", "1")
