"""`python -m bench [--quick] [GROUP ...]`: measures the named groups, or all; prints and stores the figures."""

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench import batch, growth, large, load, mixed, single, start, where
from bench.table import Figure, keep, plot, table

importlib.import_module("matplotlib")  # not only when the first picture is drawn

GROUPS: dict[str, Callable[[Path, bool], list[Figure]]] = {
    "single": single.figures,
    "batch": batch.figures,
    "start": start.figures,
    "growth": growth.figures,
    "load": load.figures,
    "mixed": mixed.figures,
    "where": where.figures,
    "large": large.figures,
}

LONG = {"large"}
"""Groups that run only if they are named."""


def main() -> None:
    """Runs the groups."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", default=[name for name in GROUPS if name not in LONG], metavar=f"{{{','.join(GROUPS)}}}"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller files, for a quick try")
    parser.add_argument("--folder", type=Path, default=Path(".bench"), help="folder for files and models")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if len(arguments.groups) > 1:  # each in its own process: a Celery application keeps the server of its import
        quick = ["--quick"] if arguments.quick else []
        for name in arguments.groups:
            command = [sys.executable, "-m", "bench", *quick, "--folder", str(arguments.folder), name]
            subprocess.run(command, check=True)
        return
    (name,) = arguments.groups
    figures = GROUPS[name](arguments.folder.absolute(), arguments.quick)
    print(table(figures), flush=True)
    if not arguments.quick:
        plot(keep(figures, f"{os.cpu_count()} cores, Python {platform.python_version()}"))


if __name__ == "__main__":
    main()
