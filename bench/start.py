"""Start-up, and the cost of a small job."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import data, models
from bench.batch import through_rowcast
from bench.sending import Caller, get_request, predict_request
from bench.service import ROOT, Service, rowcast, until
from bench.single import MODEL, seconds_of
from bench.table import Figure
from rowcast import Client
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField

ROUNDS = 5
ROW = [0.5] * data.COLUMNS


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Measures start-up, bytes in Redis, and a file of ten rows."""
    models.fit(data.numbers(folder), "logistic_regression", folder / "up" / "models")
    ready = []
    for _ in range(1 if quick else ROUNDS):
        with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=MODEL) as service:
            ready.append(service.ready_seconds)
    with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=MODEL) as service:
        first = [_fresh_worker(service) for _ in range(1 if quick else ROUNDS)]
        small = data.numbers(folder, 10)
        through_rowcast(service.url, small, MODEL, folder / "small.csv")
        ten = [seconds_of(lambda: through_rowcast(service.url, small, MODEL, folder / "small.csv")) for _ in range(20)]
        stored = _bytes_a_job(service, 200 if quick else 2_000)
        chunk = _bytes_a_chunk(service, data.numbers(folder))
    return [
        Figure("`rowcast up` to ready", "", median(ready), " s", 3, "at most"),
        Figure("a fresh worker to its first prediction", "", median(first), " s", 2, "at most"),
        Figure("a file of ten rows", "", median(ten) * 1000, " ms", 100, "at most"),
        Figure("Redis, each queued single job", "", stored, " B", 1024, "at most"),
        Figure("Redis, each chunk", "", chunk, " B", 100, "at most", "of a file of 94 MB"),
    ]


def _fresh_worker(service: Service) -> float:
    """Returns seconds from the command of a worker to its first prediction, with no other worker there."""
    old = service.part("worker")
    environment = {**old.environ(), "ROWCAST_DEFAULT_MODEL": MODEL}
    old.suspend()
    for child in old.children():
        child.suspend()
    caller = Caller(service.port)
    command = [sys.executable, "-m", "worker", "--concurrency", "1"]
    environment.pop("ROWCAST_UP")
    caller.send(predict_request(MODEL, ROW, wait=True))
    started = perf_counter()
    worker = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    while caller.received() is None:
        pass
    seconds = perf_counter() - started
    worker.terminate()
    worker.wait()
    for process in [*old.children(), old]:
        process.resume()
    until(lambda: caller.ask(get_request("/ready"))[9:12] == b"200")
    return seconds


def _bytes_a_job(service: Service, jobs: int) -> float:
    """Returns the memory in Redis for each waiting single job. The workers are suspended meanwhile."""
    worker = service.part("worker")
    for process in [worker, *worker.children()]:
        process.suspend()
    redis, caller = service.redis, Caller(service.port)
    request = predict_request(MODEL, ROW, wait=False)
    caller.ask(request)
    before = redis.info("memory")["used_memory_dataset"]
    for _ in range(jobs):
        caller.ask(request)
    after = redis.info("memory")["used_memory_dataset"]
    for process in [*worker.children(), worker]:
        process.resume()
    until(lambda: redis.hget(key("live"), "*") == b"0")
    return float(after - before) / jobs


def _bytes_a_chunk(service: Service, file: Path) -> float:
    """Memory of Redis for what a finished job keeps of each of its chunks."""
    with Client(service.url) as client:
        id = client.submit_csv(file, model=MODEL).wait().id
    redis = service.redis
    kept = sum(redis.memory_usage(key(name, id)) for name in ("plan", "parts"))
    return float(kept) / int(redis.hget(key("job", id), JobField.CHUNKS) or 1)
