"""Hand-written Celery tasks over byte ranges of a file on a disk that all share: no upload, no service around them.

Each process has half of the file in one task, reads it by `read_csv`, and writes the predictions to a file next to it.
"""

import io
import shutil
from pathlib import Path
from time import perf_counter

import pandas as pd

from bench.celery_task import app, estimator
from bench.limit import ranges


@app.task
def score_range(source: str, start: int, stop: int, pickled: str, sink: str) -> None:
    """Predicts the rows between two positions of the file."""
    with Path(source).open("rb") as file:
        names = next(file).rstrip(b"\n").decode().split(",")
        file.seek(start)
        table = pd.read_csv(io.BytesIO(file.read(stop - start)), names=names)
    model = estimator(pickled)
    predictions = model.predict(table[list(model.feature_names_in_)])
    pd.DataFrame({"prediction": predictions}).to_csv(sink, index=False, header=False)


def seconds_of_tasks(source: Path, pickled: Path, sink: Path) -> float:
    """Returns how long it takes from the first `delay` until the whole result is on disk."""
    spans = ranges(source)
    parts = [Path(f"{sink}.{number}") for number in range(len(spans))]
    started = perf_counter()
    tasks = [
        score_range.delay(str(source), start, stop, str(pickled), str(part))
        for part, (start, stop) in zip(parts, spans, strict=True)
    ]
    for task in tasks:
        task.get()
    with sink.open("wb") as whole:
        whole.write(b"prediction\n")
        for part in parts:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, whole)
            part.unlink()
    return perf_counter() - started
