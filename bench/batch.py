"""Files: from the first byte sent to the last byte of the result on disk."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import data, models
from bench.limit import seconds_of_limit
from bench.service import ROOT, Service, bare_celery, rowcast
from bench.single import seconds_of
from bench.table import Figure
from rowcast import Client

ROUNDS = 5
TASKS = "hand-written Celery tasks, no upload"
SHORT = {"logistic_regression": "linear", "hist_gradient_boosting": "boosting", "random_forest": "forest"}


@dataclass(frozen=True)
class Goals:
    """The goals of a model's figures for a file: how many times faster, or how much of the other's time at most."""

    joined: float
    limit: float
    fast_limit: float = 1.25
    predictions: float | None = None
    tasks: float | None = None


NUMBERS = {
    "logistic_regression": Goals(joined=12, limit=0.75, fast_limit=1.7, tasks=1.0),
    "hist_gradient_boosting": Goals(joined=10, limit=0.5, predictions=3, tasks=0.6),
    "random_forest": Goals(joined=8, limit=0.5, predictions=3),
}
FLIGHTS = {
    "logistic_regression": Goals(joined=8, limit=0.75, fast_limit=1.7),
    "hist_gradient_boosting": Goals(joined=7, limit=0.5, predictions=3),
    "random_forest": Goals(joined=7, limit=0.5, predictions=3),
}


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Returns every model over every file: Rowcast, and what its users would have written, in turn."""
    found = []
    linear = models.fit(data.numbers(folder), "logistic_regression", folder / "up" / "models")
    with rowcast(folder / "up") as service, bare_celery(folder / "bare", linear):
        for file, goals in ((data.numbers(folder), NUMBERS), (data.flights(folder), FLIGHTS)):
            if file:
                for kind, wanted in goals.items():
                    models.fit(file, kind, folder / "up" / "models")
                    found += _compare(service, folder, file, kind, wanted, 1 if quick else ROUNDS)
    return found


def through_rowcast(url: str, file: Path, model: str, result: Path, output: str = "joined") -> None:
    """Sends the file and writes the result while it is made, as the README does."""
    with Client(url) as client:
        client.predict_csv(file, result, model=model, output=output)  # type: ignore[arg-type]


def through_curl(url: str, file: Path, model: str, result: Path) -> None:
    """Does the same by plain HTTP: sends a form with the file, then fetches the result while it is made."""
    form = [
        "curl",
        "-sf",
        "-D",
        "-",
        "-o",
        "/dev/null",
        "-F",
        f"file=@{file}",
        f"{url}/predict?model={model}&output=joined",
    ]
    head = subprocess.run(form, capture_output=True, text=True, check=True).stdout
    job = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("location: "))
    subprocess.run(["curl", "-sf", "-o", result, f"{url}{job}/result?follow=true"], check=True)


def _compare(service: Service, folder: Path, file: Path, kind: str, goals: Goals, rounds: int) -> list[Figure]:
    model = f"{file.stem.split('-')[0]}-{kind}"
    registry, pickled = folder / "up" / "models", folder / "up" / f"{model}.pkl"

    def sink(who: str) -> Path:
        return folder / f"{who}.csv"

    ours = partial(seconds_of, through_rowcast, service.url, file, model)
    limit = partial(seconds_of_limit, file, registry, model)
    contenders: dict[str, Callable[[], float]] = {
        "ours": lambda: ours(sink("ours")),
        "curl": lambda: seconds_of(through_curl, service.url, file, model, sink("curl")),
        "script": lambda: seconds_of(_script, file, pickled, sink("script"), "joined"),
        "limit": lambda: limit(sink("limit"), "scikit-learn"),
        "fast limit": lambda: limit(sink("fast"), "fast"),
    }
    if goals.predictions or goals.tasks:
        contenders["our predictions"] = lambda: ours(sink("ours-predictions"), "predictions")
    if goals.predictions:
        contenders["script's predictions"] = lambda: seconds_of(_script, file, pickled, sink("script-p"), "predictions")
    if goals.tasks:
        contenders["tasks"] = lambda: _tasks(file, pickled, sink("tasks"))
    ours(sink("ours"))  # the first opens the model in each process
    if goals.tasks:
        _tasks(file, pickled, sink("tasks"))
    taken = [{who: seconds() for who, seconds in contenders.items()} for _ in range(rounds)]
    for who in ("curl", "limit", "fast"):
        assert sink("ours").read_bytes() == sink(who).read_bytes(), who
    if goals.tasks:
        assert sink("ours-predictions").read_bytes() == sink("tasks").read_bytes()
    name = f"{file.stem.split('-')[0]}, {SHORT[kind]}"
    return _figures(name, goals, {who: median(round[who] for round in taken) for who in contenders})


def _figures(name: str, goals: Goals, seconds: dict[str, float]) -> list[Figure]:
    ours, script, limit, fast = (seconds[who] for who in ("ours", "script", "limit", "fast limit"))
    said = f"{ours:.2f} s; script {script:.2f} s, limit {limit:.2f} s, with the fast path {fast:.2f} s"
    found = [
        _faster(f"{name}: joined", "the script", script / ours, goals.joined, said),
        _slower(f"{name}: joined, by curl", "our client", seconds["curl"] / ours, 1.25, f"{seconds['curl']:.2f} s"),
        _slower(f"{name}: compared with the limit", "two bare processes", ours / limit, goals.limit),
        _slower(f"{name}: compared with the fast limit", "the same, fast path", ours / fast, goals.fast_limit),
    ]
    if goals.predictions:
        ours, script = seconds["our predictions"], seconds["script's predictions"]
        said = f"{ours:.2f} s; script {script:.2f} s"
        found.append(_faster(f"{name}: predictions", "the script", script / ours, goals.predictions, said))
    if goals.tasks:
        ours, tasks = seconds["our predictions"], seconds["tasks"]
        said = f"{ours:.2f} s; tasks {tasks:.2f} s"
        found.append(_slower(f"{name}: predictions, compared with tasks", TASKS, ours / tasks, goals.tasks, said))
    return found


def _faster(name: str, than: str, times: float, goal: float, said: str) -> Figure:
    return Figure(name, than, times, " times", goal, "at least", said)


def _slower(name: str, than: str, times: float, goal: float, said: str = "") -> Figure:
    return Figure(name, than, times, " times", goal, "at most", said)


def _tasks(file: Path, pickled: Path, sink: Path) -> float:
    from bench.celery_ranges import seconds_of_tasks  # it reads the address of the server that has been started

    return seconds_of_tasks(file, pickled, sink)


def _script(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "bench.script", *map(str, words)], cwd=ROOT, check=True)
