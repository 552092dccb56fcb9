"""Many callers at once, and one row beside a large job."""

import threading
from pathlib import Path
from time import perf_counter

from bench import data, models
from bench.batch import through_rowcast
from bench.sending import Caller, get_request, predict_request
from bench.service import Service, rowcast
from bench.single import MODEL, percentile, seconds_of
from bench.start import ROW
from bench.table import Figure

CALLERS = 1_000
LOOKS = 200


def figures(folder: Path, quick: bool) -> list[Figure]:
    """A row's time beside a large job, and a gateway with a thousand callers that wait."""
    models.fit(data.numbers(folder), "logistic_regression", folder / "up" / "models")
    with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=MODEL) as service:
        return [_beside(service, folder, data.ROWS if quick else 10 * data.ROWS), _waiting(service)]


def _beside(service: Service, folder: Path, rows: int) -> Figure:
    caller, request = Caller(service.port), predict_request(MODEL, ROW, wait=True)
    caller.ask(request)
    idle = [seconds_of(lambda: caller.ask(request)) for _ in range(LOOKS)]
    file = data.numbers(folder, rows)
    job = threading.Thread(target=through_rowcast, args=(service.url, file, MODEL, folder / "beside.csv"))
    job.start()
    busy = []
    while job.is_alive():
        busy.append(seconds_of(lambda: caller.ask(request)))
    said = f"p99 {percentile(busy, 99):.0f} ms beside {rows:,} rows, {percentile(idle, 99):.1f} ms when idle"
    more = percentile(busy, 99) - percentile(idle, 99)
    return Figure("one row's p99 beside a large job", "when idle", more, " ms more", 1000, "at most", said)


def _waiting(service: Service) -> Figure:
    """The workers stand still, so that a thousand callers wait for their rows at once."""
    worker = service.part("worker")
    for process in [worker, *worker.children()]:
        process.suspend()
    request = predict_request(MODEL, ROW, wait=True)
    waiting = [Caller(service.port) for _ in range(CALLERS)]
    for one in waiting:
        one.send(request)
    caller, health = Caller(service.port), get_request("/health")
    caller.ask(health)
    looks = [seconds_of(lambda: caller.ask(health)) for _ in range(LOOKS)]
    for process in [*worker.children(), worker]:
        process.resume()
    started = perf_counter()
    for one in waiting:
        while one.received() is None:
            pass
    said = f"p50 {percentile(looks, 50):.1f} ms; all were answered {perf_counter() - started:.1f} s later"
    return Figure(
        f"/health, p99, with {CALLERS:,} callers that wait", "", percentile(looks, 99), " ms", 50, "at most", said
    )
