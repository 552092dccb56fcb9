"""The cost of more rows, and the gain of more workers."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

from bench import data, models
from bench.batch import through_rowcast
from bench.service import Service, rowcast
from bench.single import MODEL, seconds_of
from bench.table import Figure
from rowcast import Client
from rowcast.memory import MIB

ROUNDS = 5
GROWTH_ROUNDS = 2
SIZES = (1_000, 10_000, 100_000, 500_000, 5_000_000)
BOOSTING = "hist_gradient_boosting"


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Measures growth and memory over sizes, then one worker process compared with two."""
    models.fit(data.numbers(folder), "logistic_regression", folder / "up" / "models")
    models.fit(data.numbers(folder), BOOSTING, folder / "up" / "models")
    return [*_sizes(folder, SIZES[:4] if quick else SIZES), _workers(folder, 1 if quick else ROUNDS)]


def _sizes(folder: Path, sizes: tuple[int, ...]) -> list[Figure]:
    seconds, peaks = {}, {}
    small, large = data.ROWS, sizes[-1]
    files = {rows: data.numbers(folder, rows) for rows in sizes}
    with rowcast(folder / "up") as service:

        def send(rows: int) -> None:
            through_rowcast(service.url, files[rows], MODEL, folder / "grown.csv")

        for rows in sizes:
            seconds[rows] = median([seconds_of(send, rows) for _ in range(3 if rows <= small else 1)])
            peaks[rows] = {name: service.peak_bytes(name) / MIB for name in ("gateway", "worker")}
        if large > small:
            seconds |= _in_turns(send, small, large)
    said = ", ".join(f"{rows:,}: {taken:.2f} s" for rows, taken in seconds.items())
    memory = ", ".join(f"{rows:,}: {peak['gateway']:.0f} and {peak['worker']:.0f} MiB" for rows, peak in peaks.items())
    growth = (seconds[large] / large) / (seconds[small] / small)
    more = {name: peaks[large][name] - peaks[small][name] for name in ("gateway", "worker")}
    return [
        Figure("time a row, the largest file", f"{small:,} rows", growth, " times", 1.1, "at most", said),
        *(
            Figure(f"{name}'s peak memory, large file", f"{small:,} rows", by, " MiB more", 30, "at most", memory)
            for name, by in more.items()
        ),
        Figure("gateway's peak memory", "", peaks[large]["gateway"], " MiB", 120, "at most", memory),
    ]


def _in_turns(send: Callable[[int], None], small: int, large: int) -> dict[int, float]:
    """Returns the seconds of a large file, and of one of as many small files in a row as have its rows.

    The same bytes go through the kernel's cache of files: as long as that is empty, a single small file takes less.
    """
    times: dict[int, list[float]] = {small: [], large: []}
    for _ in range(GROWTH_ROUNDS):
        times[small] += [seconds_of(send, small) for _ in range(large // small)]
        times[large].append(seconds_of(send, large))
    return {small: mean(times[small]), large: mean(times[large])}


def _workers(folder: Path, rounds: int) -> Figure:
    """Compares two worker processes with one, while gateway and client have nothing to do but wait."""
    file = data.numbers(folder)
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, seconds in taken.items():
            with rowcast(folder / "up", workers) as service:
                _scoring_seconds(service, file)  # the first opens the model in each process
                seconds.append(_scoring_seconds(service, file))
    one, two = median(taken[1]), median(taken[2])
    said = f"{one:.2f} and {two:.2f} s for a file that was received before"
    return Figure("boosting, two worker processes", "one", one / two, " times", 1.9, "at least", said)


def _scoring_seconds(service: Service, file: Path) -> float:
    """Returns how long the workers take for a file that was received while they stood still."""
    with Client(service.url) as client:
        with service.workers_stopped():
            job = client.submit_csv(file, model=f"numbers-{BOOSTING}")
        return seconds_of(job.wait)
