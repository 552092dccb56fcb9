"""What a release leaves behind, for the test that starts today's programs on it (tests/stack/test_release.py).

    python tools/release_snapshot.py [COMMIT]     writes tests/stack/release.json.gz; COMMIT is HEAD if it is left out

Run it for each release. The programs of that commit make jobs in every state. Then they are ended, the worker by
`kill -9`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import pandas as pd  # noqa: E402
from parquet_files import PARQUET, parquet  # noqa: E402
from programs import RedisServer, free_port, http_client, is_up, kill_group, until  # noqa: E402
from release_state import FILE, ReleaseState  # noqa: E402
from resumable import append, create  # noqa: E402
from scored import CSV, ROWS, submit, wait  # noqa: E402

from rowcast.api_keys import new as new_key  # noqa: E402
from rowcast.jobs.records.redis_client import connect  # noqa: E402

MOST_BYTES = 50_000

SHORT = b"".join(CSV.splitlines(keepends=True)[: 1 + 3 * 64])
"""Three chunks, each of which takes the slow model a second."""

_REGISTER = """
import sys
from pathlib import Path
import estimators, numpy
from registering import register
for kind in (estimators.Fixed, estimators.Slow):
    register(Path(sys.argv[1]), kind.__name__.lower(), kind(sys.argv[1]).fit(numpy.zeros((2, 1)), [0, 1]), ["age"])
"""


class Programs:
    """The programs of a commit, around one Redis, one store and one registry."""

    def __init__(self, code: Path, folder: Path, server: RedisServer) -> None:
        self._code, self._folder = code, folder
        self.store = folder / "store"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(code / "tests" / "support"),
            "OMP_NUM_THREADS": "1",
            "ROWCAST_REDIS_URL": server.url,
            "ROWCAST_STORE": str(self.store),
            "ROWCAST_MODELS": str(folder / "models"),
            "ROWCAST_CHUNK_ROWS": "64",
            "ROWCAST_LEASE_SECONDS": "3",
        }
        command = [sys.executable, "-c", _REGISTER, str(folder / "models")]
        subprocess.run(command, cwd=code, env=self._environment, check=True)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Starts `python -m COMMAND`, with its log on standard error."""
        self._running[name] = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self._code,
            env={**self._environment, **environment},
            start_new_session=True,
        )

    @contextmanager
    def gateway(self, **environment: str) -> Iterator[str]:
        """Starts a gateway and yields its address; ends it with the block."""
        port = free_port()
        url, name = f"http://127.0.0.1:{port}", f"gateway {port}"
        self.start(name, "api", "--port", str(port), **environment)
        with http_client(url) as http:
            until(lambda: is_up(http, "/health"), "the gateway answers")
        yield url
        self._running[name].terminate()
        self._running[name].wait()

    def kill(self, *names: str) -> None:
        """Kills programs with all of their processes."""
        for name in names:
            kill_group(self._running[name])

    def kill_all(self) -> None:
        """Kills what still runs."""
        self.kill(*(name for name, process in self._running.items() if process.poll() is None))


def rows_done(http: httpx.Client, id: str) -> int:
    """Returns how many rows of a job are scored."""
    return int(http.get(f"/jobs/{id}").json()["progress"]["rows_done"])


def make_ended(http: httpx.Client) -> dict[str, str]:
    """Makes jobs that end while the worker runs."""
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "release"}
    succeeded = http.post("/predict?model=fixed", content=CSV, headers=headers).json()["id"]
    row = http.post("/predict?wait=60", json={"model": "fixed", "features": [40]}).json()["job"]
    failed = submit(http, "fixed", CSV + b"old\n", on_error="fail")
    deleted = submit(http, "fixed")
    for id in (succeeded, failed, deleted):
        wait(http, id)
    http.delete(f"/jobs/{deleted}").raise_for_status()
    cancelled = submit(http, "slow", SHORT)
    until(lambda: rows_done(http, cancelled), "a chunk is done")
    http.post(f"/jobs/{cancelled}/cancel").raise_for_status()
    return {"succeeded": succeeded, "row": row, "failed": failed, "deleted": deleted, "cancelled": cancelled}


def make_waiting(http: httpx.Client, url_with_keys: str, api_key: str) -> dict[str, str]:
    """Makes jobs that have not begun, because no worker runs any more."""
    upload = create(http, model="fixed")
    append(http, upload, 0, CSV[: len(CSV) // 2])
    table = parquet(pd.DataFrame({"age": [number % 60 for number in range(ROWS)]}))
    with http_client(url_with_keys, headers={"X-API-Key": api_key}) as with_key:
        owned = submit(with_key, "fixed")
    bodies = {str(age): {"model": "fixed", "features": [age]} for age in (20, 40)}
    lines = [{"custom_id": id, "method": "POST", "url": "/predict", "body": body} for id, body in bodies.items()]
    requests = "".join(f"{json.dumps(line)}\n" for line in lines)
    file = http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("requests.jsonl", requests)}).json()["id"]
    batch = {"input_file_id": file, "endpoint": "/predict", "completion_window": "24h"}
    return {
        "queued": submit(http, "fixed"),
        "hurried": submit(http, "fixed", priority="high", expires_in="1h", tags="team:a"),
        "batch": http.post("/v1/batches", json=batch).json()["id"],
        "owned": owned,
        "converted": http.post("/predict?model=fixed", content=table, headers=PARQUET).json()["id"],
        "queued row": http.post("/predict", json={"model": "fixed", "features": [20]}).json()["id"],
        "upload": upload,
    }


def snapshot(commit: str, code: Path, folder: Path) -> ReleaseState:
    """Runs the programs in `code`, and returns what they leave behind."""
    (folder / "redis").mkdir()
    server = RedisServer(folder / "redis")
    programs = Programs(code, folder, server)
    redis = connect(server.url)
    key = new_key(folder / "keys", "ann")
    try:
        programs.start("upkeep", "upkeep")
        programs.start("worker", "worker", "--concurrency", "1")
        with (
            programs.gateway() as url,
            programs.gateway(ROWCAST_API_KEYS_FILE=str(folder / "keys")) as with_keys,
            http_client(url, timeout=90) as http,
        ):
            jobs = make_ended(http)
            jobs["interrupted"] = submit(http, "slow", SHORT)
            until(lambda: rows_done(http, jobs["interrupted"]), "a chunk is done")
            until(lambda: redis.hgetall("rowcast:leases"), "the next one is leased")
            programs.kill("upkeep", "worker")
            jobs |= make_waiting(http, with_keys, key)
        return ReleaseState.taken(commit, redis, programs.store, jobs)
    finally:
        programs.kill_all()
        server.stop()


def main(revision: str = "HEAD") -> None:
    """Writes the file."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", revision)
    with TemporaryDirectory() as folder:
        code = Path(folder) / "code"
        git("worktree", "add", "--detach", str(code), commit)
        try:
            length = snapshot(commit, code, Path(folder)).write()
        finally:
            git("worktree", "remove", "--force", str(code))
    print(f"{FILE.relative_to(ROOT)}: {length} bytes, of {commit}")
    if length > MOST_BYTES:
        sys.exit(f"The file may have {MOST_BYTES} bytes.")


if __name__ == "__main__":
    main(*sys.argv[1:])
