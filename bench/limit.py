"""The limit of the machine: two bare processes over byte ranges of the file.

They parse, predict and join bytes as a worker does, without a service around them: with scikit-learn's own trees, or
with the fast path. They run before the measurement starts and have loaded the model, as workers have.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel
from rowcast.models.registry import Registry
from rowcast.scoring.score_chunk import ChunkSpec, score
from rowcast.storage import Storage
from worker.model_cache import ModelCache

PROCESSES = 2
CHUNK_BYTES = 4 * 1024 * 1024


def ranges(source: Path) -> list[tuple[int, int]]:
    """Returns one range of bytes for each process, cut at line ends. No field of the file has a line end inside."""
    size = source.stat().st_size
    cuts = []
    with source.open("rb") as file:
        cuts.append(len(next(file)))
        for number in range(1, PROCESSES):
            file.seek(size * number // PROCESSES)
            next(file)
            cuts.append(file.tell())
    return list(zip(cuts, [*cuts[1:], size], strict=True))


def score_range(source: Path, model: LoadedModel, sink: Path, start: int, stop: int) -> None:
    """Scores the rows between two positions, a chunk at a time."""
    with source.open("rb") as file, sink.open("wb") as out:
        columns = tuple(next(file).rstrip(b"\n").decode().split(","))
        spec = ChunkSpec(columns, b"\n", Options.model_validate({"output": "joined", "delimiter": ","}))
        file.seek(start)
        while (position := file.tell()) < stop:
            data = file.read(min(CHUNK_BYTES, stop - position))
            data += file.readline() if file.tell() < stop else b""
            out.write(score(data, 1, model, spec).data)


def seconds_of_limit(source: Path, models: Path, name: str, sink: Path, trees: str) -> float:
    """Returns how long both take to join, from the start signal until the whole result is on disk.

    `trees`: `scikit-learn` or `fast`.
    """
    parts = [Path(f"{sink}.{number}") for number in range(PROCESSES)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.limit", *map(str, (source, models, name, part, trees, *span))],
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for part, span in zip(parts, ranges(source), strict=True)
    ]
    for process in started:
        while process.stdout.readline() != b"ready\n":  # type: ignore[union-attr]  # before it, lines of the log
            pass
    begun = perf_counter()
    for process in started:
        process.stdin.close()  # type: ignore[union-attr]
    for process in started:
        process.wait()
    with source.open("rb") as head, sink.open("wb") as whole:
        line = next(head).rstrip(b"\n")
        whole.write(line + b",prediction\n")
        for part in parts:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, whole, CHUNK_BYTES)
            part.unlink()
    return perf_counter() - begun


def main() -> None:
    """Runs one of the processes."""
    source, models, name, sink, trees, start, stop = sys.argv[1:]
    registry = Registry(Storage(models))
    model = ModelCache(registry, "warn", fast_trees=trees == "fast").get(name, "1")
    print("ready", flush=True)
    sys.stdin.readline()
    score_range(Path(source), model, Path(sink), int(start), int(stop))


if __name__ == "__main__":
    main()
