"""Single rows: how long one takes, and how many a second can be answered and submitted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import pandas as pd

from bench import data, models
from bench.sending import Caller, get_request, predict_request, rate
from bench.service import Service, bare_celery, rowcast, until
from bench.table import Figure

CALLERS = 32
ROUNDS = 5
SECONDS = 2.0
MODEL = "numbers-logistic_regression"
BOOSTING = "numbers-hist_gradient_boosting"


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Compares Rowcast with a bare Celery task, in turn, both with the boosting."""
    table = pd.read_csv(data.numbers(folder), nrows=1)
    row = {name: float(value) for name, value in table.iloc[0].items()}
    pickled = models.fit(data.numbers(folder), "hist_gradient_boosting", folder / "up" / "models")
    with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=BOOSTING) as service, bare_celery(folder / "bare", pickled):
        from bench.celery_task import predict

        def theirs() -> int:
            return int(predict.delay(row).get())

        request = predict_request(BOOSTING, list(row.values()), wait=True)
        caller = Caller(service.port)
        for _ in range(20):
            assert caller.json(request)["prediction"] == theirs()
        rows = 40 if quick else 200
        return [
            *_latency(lambda: caller.ask(request), theirs, rows),
            _answers(service, request, theirs),
            _submits(service, list(row.values()), lambda: predict.apply_async((row,), ignore_result=True), rows),
        ]


def seconds_of(call: Callable[..., Any], *arguments: Any) -> float:
    """Returns how long the call takes."""
    started = perf_counter()
    call(*arguments)
    return perf_counter() - started


def percentile(seconds: list[float], percent: int) -> float:
    """Returns a percentile, in milliseconds."""
    return quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000


def _latency(ours: Callable[[], Any], theirs: Callable[[], Any], rows: int) -> list[Figure]:
    mine: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        mine += [seconds_of(ours) for _ in range(rows)]
        bare += [seconds_of(theirs) for _ in range(rows)]
    said = (
        f"{percentile(mine, 50):.2f} and {percentile(bare, 50):.2f} ms; "
        f"p99 {percentile(mine, 99):.2f} and {percentile(bare, 99):.2f} ms"
    )
    ratio = percentile(mine, 50) / percentile(bare, 50)
    return [Figure("one row, p50", "a bare Celery task", ratio, " times", 0.5, "at most", said)]


def _answers(service: Service, request: bytes, theirs: Callable[[], Any]) -> Figure:
    mine, bare = [], []
    for _ in range(ROUNDS):
        mine.append(rate(service.port, request, CALLERS, SECONDS))
        bare.append(_rate_of(theirs))
    said = f"{median(mine):.0f} and {median(bare):.0f} a second"
    return Figure(
        f"rows a second, {CALLERS} callers",
        "a bare Celery task",
        median(mine) / median(bare),
        " times",
        4,
        "at least",
        said,
    )


def _rate_of(call: Callable[[], Any]) -> float:
    end = perf_counter() + SECONDS

    def run(_: int) -> int:
        calls = 0
        while perf_counter() < end:
            call()
            calls += 1
        return calls

    started = perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        return sum(pool.map(run, range(CALLERS))) / (perf_counter() - started)


def _submits(service: Service, row: list[float], theirs: Callable[[], Any], rows: int) -> Figure:
    request = predict_request(BOOSTING, row, wait=False)
    caller = Caller(service.port)
    mine, bare = [], []
    for _ in range(ROUNDS):
        mine.append(rate(service.port, request, 8, SECONDS / 2))
        until(lambda: not caller.json(get_request("/jobs?status=queued&limit=1"))["jobs"])
        bare.append(rows / seconds_of(lambda: [theirs() for _ in range(rows)]))
    said = f"{median(mine):.0f} and {median(bare):.0f} a second"
    return Figure("submits a second", "bare apply_async", median(mine) / median(bare), " times", 1, "at least", said)
