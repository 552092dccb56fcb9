"""`python -m bench [--quick] [GROUP ...]`: measures the groups named, or all; prints and keeps what comes out."""

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

from bench import batch, growth, load, mixed, single, start, where
from bench.table import Figure, keep, plot, table

GROUPS: dict[str, Callable[[Path, bool], list[Figure]]] = {
    "single": single.figures,
    "batch": batch.figures,
    "start": start.figures,
    "growth": growth.figures,
    "load": load.figures,
    "mixed": mixed.figures,
    "where": where.figures,
}


def main() -> None:
    """Runs the groups."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("groups", nargs="*", default=list(GROUPS), metavar=f"{{{','.join(GROUPS)}}}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller files: to try it out")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="where files and models are kept")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in asked.groups:
        figures = GROUPS[name](asked.folder.absolute(), asked.quick)
        print(table(figures), flush=True)
        found += figures
    if not asked.quick:
        plot(keep(found, f"{os.cpu_count()} cores, Python {platform.python_version()}"))


if __name__ == "__main__":
    main()
