"""Versions go into production after a check and back again, while files and rows are scored: none mixes versions."""

import io
import json
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from programs import Stack
from registering import register
from scored import submit, wait
from sklearn.tree import DecisionTreeClassifier

from rowcast import Client
from rowcast.client import AliasMoved
from rowcast.jobs.progress.versions_in_use import versions_in_use
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ROWS = 1_000
BODY = b"a,b\n" + b"".join(b"%d,%d\n" % (number % 100, number) for number in range(ROWS))

Rowcast = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def limits(stack: Stack) -> dict[str, int]:
    """Registers the model `care`. Returns the `a` from which each version predicts 1; the third needs `c`, too."""
    found = {"1": 50, "2": 51, "3": 50, "4": 80}
    for version, limit in found.items():
        columns = ["a", "c"] if version == "3" else ["a"]
        frame = pd.DataFrame([[limit - 1] * len(columns), [limit] * len(columns)], columns=columns, dtype=float)
        model = DecisionTreeClassifier(max_depth=1).fit(frame, [0, 1])
        register(stack.models, "care", model, columns, metrics={"accuracy": 0.5 + int(version) / 100})
    Registry(Storage(str(stack.models))).set_alias("care", "production", "1")
    return found


@pytest.fixture
def rowcast(stack: Stack, limits: dict[str, int], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Rowcast:
    """Runs a command, in which `in.csv` is the file. Returns its exit code and both outputs."""
    from rowcast.cli.main import main

    (tmp_path / "in.csv").write_bytes(BODY)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(tmp_path / word) if word == "in.csv" else word for word in words])
        return code, *capsys.readouterr()

    return run


def test_a_version_goes_into_production_only_if_its_check_passes(
    stack: Stack, rowcast: Rowcast, client: httpx.Client
) -> None:
    def production() -> str:
        return client.get("/models/care/aliases/production").json()["version"]

    service = ["--url", stack.url]
    for version, words, reason in (
        ("4", ["--check", "in.csv", "--max-disagreement", "0.02"], "30.00% of the rows differ, more than 2.00%"),
        ("2", ["--check", "in.csv"], "1.00% of the rows differ, more than 0.00%"),
        ("3", ["--check", "in.csv"], "could not be scored by both versions: The header lacks columns"),
        ("2", ["--min-metric", "accuracy=0.8"], "its accuracy is 0.52, below 0.8"),
        ("2", ["--max-metric", "mae=3"], "it has no metric 'mae', only accuracy"),
        ("2", ["--to", "canary", "--check", "in.csv"], "care@canary does not exist, so there is no version to compare"),
    ):
        code, _, said = rowcast("models", "promote", f"care@{version}", *words, *service)
        assert (code, production()) == (1, "1"), said
        assert reason in said
    assert rowcast("models", "promote", "care@2", *service)[0] == 2, "there is nothing to check"
    check = ["--check", "in.csv", "--max-disagreement", "0.02", "--min-metric", "accuracy=0.5"]
    code, shown, _ = rowcast("models", "promote", "care@2", *check, *service, "--json")
    found = json.loads(shown)
    assert (code, found["promoted"], found["current"], found["version"]) == (0, True, "1", "2")
    assert (found["comparison"]["differing"], found["comparison"]["fraction"]) == (10, 0.01)
    assert "is version 2 already" in rowcast("models", "promote", "care@2", *check, *service)[2]
    with Client(stack.url) as other, pytest.raises(AliasMoved):
        other.set_alias("care", "production", "4", expected="1")
    code, _, said = rowcast("models", "rollback", "care", *service)
    assert (code, production()) == (0, "1"), said
    assert "care@production is now version 1; it was version 2" in said
    assert rowcast("models", "rollback", "care", *service)[0] == 2, "there is no earlier version"


def test_a_row_that_only_the_new_version_cannot_predict_counts_as_different(
    stack: Stack, rowcast: Rowcast, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_bytes(b"a,c\n1,1\n99,99\n1,x\ny,1\n")
    words = ["care@1", "care@3", "--file", str(tmp_path / "bad.csv"), "--models", str(stack.models), "--no-golden"]
    code, shown, said = rowcast("models", "compare", *words, "--url", stack.url, "--json")
    assert code == 0, said
    found = json.loads(shown)
    assert found["features"]["added"] == ["c"]
    assert (found["file"]["rows"], found["file"]["differing"], found["file"]["only_second_failed"]) == (3, 1, 1)
    assert found["file"]["not_compared"] == 1


def test_two_versions_are_compared_by_a_call_and_on_a_page(client: httpx.Client, limits: dict[str, int]) -> None:
    found = client.get("/models/care/versions/1/comparison", params={"with": "care@3"}).json()
    assert found["versions"] == ["care@1", "care@3"]
    assert (found["features"]["added"], found["metrics"]) == (
        ["c"],
        [{"name": "accuracy", "before": 0.51, "after": 0.53}],
    )
    page = client.get("/ui/models/care@1/comparison", params={"with": "care@3"}).text
    for shown in ("<td>accuracy</td>", ">0.51<", ">0.53<", "<td>c</td>", ">added<"):
        assert shown in page
    assert "rolled back" in client.get("/ui/models/care@1").text
    assert client.get("/models/care/versions/1").json()["aliases"] == ["production"]
    assert client.get("/models/care/versions/1/comparison").status_code == 422
    assert client.get("/models/care/versions/1/comparison", params={"with": "care@9"}).status_code == 404


def test_no_job_mixes_versions_while_its_alias_is_moved_and_rolled_back(
    stack: Stack, limits: dict[str, int], client: httpx.Client
) -> None:
    ended = threading.Event()
    moves: list[str] = []

    def move() -> None:
        with Client(stack.url) as service:
            while not ended.is_set():
                place = service.alias("care")
                target = place["earlier"] if place["version"] == "4" else "4"
                service.set_alias("care", "production", target, expected=place["version"])
                moves.append(target)

    mover = threading.Thread(target=move)
    mover.start()
    jobs: list[dict[str, Any]] = []
    try:
        for _ in range(12):
            id = submit(client, "care@production", BODY, output="predictions")
            row = client.post("/predict?wait=60", json={"features": [60], "model": "care@production"}).json()
            job = client.get(f"/jobs/{row['job']}").json()
            assert row["prediction"] == int(limits[job["model"]["version"]] <= 60)
            jobs.append(wait(client, id))
    finally:
        ended.set()
        mover.join()
    assert len(moves) > 2
    assert {job["model"]["version"] for job in jobs} <= {"1", "4"}
    for job in jobs:
        result = pd.read_csv(io.BytesIO(client.get(f"/jobs/{job['id']}/result").content))
        expected = [int(number % 100 >= limits[job["model"]["version"]]) for number in range(ROWS)]
        assert result["prediction"].tolist() == expected
    client.put("/models/care/aliases/production", json={"version": "1"})


def test_old_versions_are_removed_unless_an_alias_or_a_job_needs_them(
    stack: Stack, rowcast: Rowcast, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROWCAST_REDIS_URL", stack.redis_url)
    with closing(stack.redis) as redis:
        needed = versions_in_use(redis)
    assert needed["care@1"] > 0
    for job in client.get("/jobs", params={"model": "care@2", "limit": 200}).json()["jobs"]:
        client.delete(f"/jobs/{job['id']}")
    upload = client.post("/uploads", headers={"Content-Type": "text/csv"}, params={"model": "care@2"})
    words = ["care", "--keep", "1", "--models", str(stack.models), "--json"]

    def pruned(*more: str) -> dict[str, Any]:
        code, shown, said = rowcast("models", "prune", *words, *more)
        assert code == 0, said
        return dict(json.loads(shown))

    assert pruned()["kept"]["2"] == "needed by 1 job"
    client.delete(upload.headers["Location"])
    jobs = client.get("/jobs", params={"model": "care@3", "limit": 200}).json()["jobs"]
    for job in jobs:
        client.delete(f"/jobs/{job['id']}")
    found = pruned()
    assert found["removable"] == ["2", "3"]
    assert found["kept"] == {"1": "production", "4": "latest"}
    assert client.get("/models/care").json()["versions"] == ["1", "2", "3", "4"]
    assert pruned("--yes")["removed"] == ["2", "3"]
    assert client.get("/models/care").json()["versions"] == ["1", "4"]
