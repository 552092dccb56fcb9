"""Rows and a file at the same time: the throughput of each under full load, drawn over time (`bench-mixed.png`)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from time import perf_counter, sleep

from bench import data, models
from bench.sending import Caller, predict_request
from bench.service import Service, rowcast
from bench.single import MODEL, percentile, seconds_of
from bench.start import ROW
from bench.table import PICTURES, Figure
from rowcast import Client
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField

CALLERS = 16
ALONE_SECONDS = 5.0
"""How long only the callers send, before the file and after it."""

SMALL_ROWS = 1_000

PICTURE = PICTURES / "bench-mixed.png"
_LOOK_SECONDS = 0.2

Answers = list[tuple[float, float]]
"""For each row the time of its answer (seconds from the start), and how long it took."""

Progress = list[tuple[float, int]]
"""Points in time, and the number of the file's rows that were done then."""


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Returns the time of a file while 16 callers send single rows without pause, and of the same file by itself."""
    file = data.numbers(folder, data.ROWS if quick else 2 * data.ROWS)
    small = _first_rows(file, folder / "small.csv")
    models.fit(file, "logistic_regression", folder / "up" / "models")
    with rowcast(folder / "up", ROWCAST_DEFAULT_MODEL=MODEL) as service:
        _progress(service, file, perf_counter)  # opens the model in each process
        alone = _seconds(_progress(service, file, perf_counter))
        started = perf_counter()
        with _callers(service) as answers:
            sleep(ALONE_SECONDS)
            progress = _progress(service, file, lambda: perf_counter() - started)
            sleep(ALONE_SECONDS)
        with Client(service.url) as client:
            after = seconds_of(lambda: client.submit_csv(small, model=MODEL).wait())
    both = [took for at, took in answers if progress[0][0] <= at <= progress[-1][0]]
    if not quick:
        draw(answers, progress, alone)
    said = f"{_seconds(progress):.1f} s with {CALLERS} callers, {alone:.1f} s without"
    return [
        Figure("a file during rows", "by itself", _seconds(progress) / alone, " times", 2, "at most", said),
        Figure("a row's p99 during a file, 16 callers", "", percentile(both, 99), " ms", 1000, "at most"),
        Figure("a small file right after the rows", "whole job", after * 1000, " ms", 500, "at most"),
    ]


def _first_rows(file: Path, small: Path) -> Path:
    """Returns a file of one chunk."""
    with file.open() as lines:
        small.write_text("".join(islice(lines, SMALL_ROWS + 1)))
    return small


def _seconds(progress: Progress) -> float:
    return progress[-1][0] - progress[0][0]


def _progress(service: Service, file: Path, now: Callable[[], float]) -> Progress:
    """Sends the file and looks, until it is done, at how many of its rows are; the first of them while it is sent."""
    redis = service.redis
    known = set(redis.scan_iter(key("plan", "*")))
    seen, is_over = [(now(), 0)], threading.Event()

    def look() -> None:
        plans: list[bytes] = []
        while not is_over.wait(_LOOK_SECONDS):
            plans = plans or [name for name in redis.scan_iter(key("plan", "*")) if name not in known]
            done = redis.hget(plans[0].removesuffix(b":plan").decode(), JobField.ROWS_DONE) if plans else None
            seen.append((now(), int(done or 0)))

    looker = threading.Thread(target=look)
    looker.start()
    with Client(service.url) as client:
        rows = client.submit_csv(file, model=MODEL).wait().progress["rows_done"]
    is_over.set()
    looker.join()
    return [*seen, (now(), rows)]


@contextmanager
def _callers(service: Service) -> Iterator[Answers]:
    """Runs callers that each send a row as soon as they have the answer to the last one."""
    answers: Answers = []
    started, is_over = perf_counter(), threading.Event()
    request = predict_request(MODEL, ROW, wait=True)

    def ask() -> None:
        caller = Caller(service.port)
        while not is_over.is_set():
            sent = perf_counter()
            caller.ask(request)
            answers.append((perf_counter() - started, perf_counter() - sent))

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def draw(answers: Answers, progress: Progress, alone_seconds: float) -> None:
    """Draws how many rows of either kind are done a second, and how long single rows take."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    begin, end = progress[0][0], progress[-1][0]
    picture, (rows, waits, file) = pyplot.subplots(3, figsize=(9, 7), sharex=True)
    seconds = range(int(answers[-1][0]) + 1)
    counts = [sum(int(at) == second for at, _ in answers) for second in seconds]
    rows.step([*seconds], counts, where="post", color="#2a7f62")
    rows.set_ylabel("single rows a second")
    waits.plot([at for at, _ in answers], [took * 1000 for _, took in answers], ".", markersize=1, color="#2a7f62")
    waits.set_yscale("log")
    waits.set_ylabel("answer to a row (ms)")
    pairs = list(pairwise(progress))
    rates = [(done - before) / (at - since) / 1000 for (since, before), (at, done) in pairs]
    file.step([at for _, (at, _) in pairs], rates, where="pre", color="#c2703d")
    undisturbed = progress[-1][1] / alone_seconds / 1000
    file.axhline(undisturbed, color="#c2703d", linewidth=1, linestyle="--", label="by itself")
    file.legend(frameon=False)
    file.set_ylabel("file: 1,000 rows a second")
    file.set_xlabel("seconds")
    for axes in (rows, waits, file):
        axes.axvspan(begin, end, color="#c2703d", alpha=0.08)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    picture.savefig(PICTURE, dpi=110, bbox_inches="tight")
