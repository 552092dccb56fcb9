"""Files: from the first byte sent to the last byte of the result on disk."""

import subprocess
import sys
from pathlib import Path
from statistics import median

from bench import data, models
from bench.limit import seconds_of_limit
from bench.service import ROOT, Service, rowcast
from bench.single import seconds_of
from bench.table import Figure
from rowcast import Client

ROUNDS = 5
SHORT = {"logistic_regression": "linear", "hist_gradient_boosting": "boosting", "random_forest": "forest"}
GOALS = {"logistic_regression": 10, "hist_gradient_boosting": 6, "random_forest": 6}
LIMITS = {"logistic_regression": 1.7, "hist_gradient_boosting": 1.25, "random_forest": 1.25}
PREDICTIONS = {"hist_gradient_boosting": 1.6, "random_forest": 1.6}


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Returns every model over every file: Rowcast, the script, and two bare processes, in turn."""
    found = []
    files = [file for file in (data.numbers(folder), data.flights(folder)) if file]
    with rowcast(folder / "up") as service:
        for file in files:
            for kind in models.KINDS:
                models.fit(file, kind, folder / "up" / "models")
                found += _compare(service, folder, file, kind, 1 if quick else ROUNDS)
    return found


def through_rowcast(url: str, file: Path, model: str, result: Path, output: str = "joined") -> None:
    """Sends the file, waits, fetches the result."""
    with Client(url) as client:
        client.submit_csv(file, model=model, output=output).wait().download(result)  # type: ignore[arg-type]


def _compare(service: Service, folder: Path, file: Path, kind: str, rounds: int) -> list[Figure]:
    model = f"{file.stem.split('-')[0]}-{kind}"
    taken: dict[str, list[float]] = {}
    through_rowcast(service.url, file, model, folder / "ours.csv")  # the first opens the model in each process
    for number in range(rounds):
        for output in ("joined", "predictions") if kind in PREDICTIONS else ("joined",):
            ours, theirs, limit = (folder / f"{who}.csv" for who in ("ours", "theirs", "limit"))
            models_folder, pickled = folder / "up" / "models", folder / "up" / f"{model}.pkl"
            seconds = {
                "ours": seconds_of(through_rowcast, service.url, file, model, ours, output),
                "script": seconds_of(_python, "script", file, pickled, theirs, output),
                "limit": seconds_of_limit(file, models_folder, model, limit, output),
            }
            for who, took in seconds.items():
                taken.setdefault(f"{who} {output}", []).append(took)
            if number == 0:
                assert ours.read_bytes() == limit.read_bytes()
    return _figures(
        f"{file.stem.split('-')[0]}, {SHORT[kind]}", kind, {name: median(all) for name, all in taken.items()}
    )


def _figures(name: str, kind: str, seconds: dict[str, float]) -> list[Figure]:
    ours, script, limit = (seconds[f"{who} joined"] for who in ("ours", "script", "limit"))
    said = f"{ours:.2f} s; script {script:.2f} s, limit {limit:.2f} s"
    found = [
        Figure(f"{name}: joined", "the script", script / ours, " times", GOALS[kind], "at least", said),
        Figure(
            f"{name}: compared with the limit",
            "two bare processes",
            ours / limit,
            " times",
            LIMITS[kind],
            "at most",
            said,
        ),
    ]
    if kind in PREDICTIONS:
        ours, script = seconds["ours predictions"], seconds["script predictions"]
        said = f"{ours:.2f} s; script {script:.2f} s"
        goal = PREDICTIONS[kind]
        found.append(Figure(f"{name}: predictions", "the script", script / ours, " times", goal, "at least", said))
    return found


def _python(module: str, *words: object) -> None:
    subprocess.run([sys.executable, "-m", f"bench.{module}", *map(str, words)], cwd=ROOT, check=True)
