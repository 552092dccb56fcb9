"""Where the time goes: processor seconds of each program for one file, drawn as bars (`docs/pictures/bench-where.png`).

What a worker does is split by the same functions on the same chunks, in this process.
"""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import psutil
from threadpoolctl import threadpool_limits

from bench import data, models
from bench.batch import SHORT, through_rowcast
from bench.service import Service, rowcast
from bench.table import FOLDER, PICTURES, Figure
from rowcast.jobs.options import Options
from rowcast.memory import MIB, keep_memory
from rowcast.models.loading.load import LoadedModel
from rowcast.models.registry import Registry
from rowcast.scoring.predict import Wanted, predict_good
from rowcast.scoring.score_chunk import ChunkSpec, score
from rowcast.scoring.table import read
from rowcast.storage import Storage
from worker.model_cache import ModelCache

RUNS = 3
CHUNK_BYTES = 4 * 1024 * 1024
COLOURS = ("#2a7f62", "#69b394", "#b9dccb", "#8a8f98", "#c2703d", "#e5b894", "#44474d")


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Draws a picture; there is no figure with a goal."""
    del quick
    keep_memory(128 * MIB)  # as a worker does
    shares = {}
    with rowcast(folder / "up") as service:
        for file in (file for file in (data.numbers(folder), data.flights(folder)) if file):
            for kind in models.KINDS:
                name = f"{file.stem.split('-')[0]}-{kind}"
                models.fit(file, kind, folder / "up" / "models")
                through_rowcast(service.url, file, name, folder / "where.csv")
                registry = Registry(Storage(str(folder / "up" / "models")))
                model = ModelCache(registry, "warn").get(name, "1")
                shares[name.replace(kind, SHORT[kind])] = _shares(service, folder, file, name, model)
    (FOLDER / "where.json").write_text(json.dumps(shares, indent=1) + "\n")
    _plot(shares)
    return []


def _shares(service: Service, folder: Path, file: Path, name: str, model: LoadedModel) -> dict[str, float]:
    parts = {part: _family(service, part) for part in ("worker", "gateway", "redis")}
    before, own = {part: _seconds(family) for part, family in parts.items()}, _own_seconds()
    for _ in range(RUNS):
        through_rowcast(service.url, file, name, folder / "where.csv")
    spent = {part: (_seconds(family) - before[part]) / RUNS for part, family in parts.items()}
    client = (_own_seconds() - own) / RUNS
    with threadpool_limits(1):  # as in a worker
        work, worker = _work(file, model), spent.pop("worker")
    scale = min(1.0, worker / sum(work.values()))  # by itself on the machine, this process may be the slower one
    work = {what: seconds * scale for what, seconds in work.items()}
    found = {**work, "lease, read, store, commit": worker - sum(work.values()), **spent, "client": client}
    return {what: round(seconds, 3) for what, seconds in found.items()}


def _work(file: Path, model: LoadedModel) -> dict[str, float]:
    """Returns what scoring the whole file takes, by steps."""
    taken = {"parse": 0.0, "predict": 0.0, "join, sum up": 0.0}
    for chunk, columns in _chunks(file):
        spec = ChunkSpec(columns, b"\n", Options(delimiter=","))
        started = process_time()
        rows = read(chunk, columns, model, spec.options)
        parsed = process_time()
        predict_good(model, rows.table, Wanted())
        predicted = process_time()
        score(chunk, 1, model, spec)
        taken["parse"] += parsed - started
        taken["predict"] += predicted - parsed
        taken["join, sum up"] += (process_time() - predicted) - (predicted - started)
    return taken


def _chunks(file: Path) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    with file.open("rb") as source:
        columns = tuple(next(source).rstrip(b"\n").decode().split(","))
        while chunk := source.read(CHUNK_BYTES):
            yield chunk + source.readline(), columns


def _family(service: Service, part: str) -> list[psutil.Process]:
    process = service.part(part)
    return [process, *process.children(recursive=True)]


def _seconds(family: list[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in family))


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _plot(shares: dict[str, dict[str, float]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, axes = pyplot.subplots(figsize=(9, 3.2))
    names = list(shares)[::-1]
    left = [0.0] * len(names)
    for what, colour in zip(next(iter(shares.values())), COLOURS, strict=True):
        seconds = [shares[name][what] for name in names]
        axes.barh(names, seconds, left=left, color=colour, label=what)
        left = [begin + more for begin, more in zip(left, seconds, strict=True)]
    axes.set_xlabel("processor seconds for the file, all processes together")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.18), ncols=4, fontsize=8, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    picture.savefig(PICTURES / "bench-where.png", dpi=110, bbox_inches="tight")
