"""Many callers at once, and one row during a large job."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench import data, models
from bench.batch import through_rowcast
from bench.sending import Caller, get_request, predict_request
from bench.service import Service, rowcast
from bench.single import MODEL, percentile, seconds_of
from bench.start import ROW
from bench.table import Figure
from rowcast import Client

CALLERS = 1_000
LOOKS = 200


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Returns a row's time during a large job, and a gateway with a thousand callers that wait."""
    models.fit(data.numbers(folder), "logistic_regression", folder / "up" / "models")
    with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=MODEL) as service:
        during = _during_a_job(service, folder, data.ROWS if quick else 10 * data.ROWS)
        return [during, _waiting(service), _listening(service, data.numbers(folder, 1_000))]


def _during_a_job(service: Service, folder: Path, rows: int) -> Figure:
    caller, request = Caller(service.port), predict_request(MODEL, ROW, wait=True)
    caller.ask(request)
    idle = [seconds_of(lambda: caller.ask(request)) for _ in range(LOOKS)]
    file = data.numbers(folder, rows)
    job = threading.Thread(target=through_rowcast, args=(service.url, file, MODEL, folder / "during.csv"))
    job.start()
    busy = []
    while job.is_alive():
        busy.append(seconds_of(lambda: caller.ask(request)))
    said = f"p99 {percentile(busy, 99):.0f} ms during {rows:,} rows, {percentile(idle, 99):.1f} ms when idle"
    more = percentile(busy, 99) - percentile(idle, 99)
    return Figure("one row's p99 during a large job", "when idle", more, " ms more", 1000, "at most", said)


def _waiting(service: Service) -> Figure:
    """Returns the time of `/health` while workers are suspended and a thousand callers wait for their rows."""
    request = predict_request(MODEL, ROW, wait=True)
    waiting = [Caller(service.port) for _ in range(CALLERS)]
    with _suspended(service):
        for one in waiting:
            one.send(request)
        looks = _looks(service)
    started = perf_counter()
    for one in waiting:
        while one.received() is None:
            pass
    return _health(f"{CALLERS:,} callers that wait", looks, perf_counter() - started)


def _listening(service: Service, file: Path) -> Figure:
    """Does the same with a thousand callers that receive the events of one job."""
    listening = [Caller(service.port).socket for _ in range(CALLERS)]
    with _suspended(service), Client(service.url) as client:
        job = client.submit_csv(file, model=MODEL)
        for one in listening:
            one.sendall(get_request(f"/jobs/{job.id}/events"))
        looks = _looks(service)
    started = perf_counter()
    for one in listening:
        received = b""
        while b"event: end" not in received:
            received += one.recv(65536)
    return _health(f"{CALLERS:,} callers that listen to events", looks, perf_counter() - started)


@contextmanager
def _suspended(service: Service) -> Iterator[None]:
    """The workers stand still until the block is left."""
    worker = service.part("worker")
    for process in [worker, *worker.children()]:
        process.suspend()
    yield
    for process in [*worker.children(), worker]:
        process.resume()


def _looks(service: Service) -> list[float]:
    caller, health = Caller(service.port), get_request("/health")
    caller.ask(health)
    return [seconds_of(caller.ask, health) for _ in range(LOOKS)]


def _health(callers: str, looks: list[float], seconds: float) -> Figure:
    said = f"p50 {percentile(looks, 50):.1f} ms; all were answered {seconds:.1f} s later"
    return Figure(f"/health, p99, with {callers}", "", percentile(looks, 99), " ms", 50, "at most", said)
