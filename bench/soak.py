"""The picture of a long soak: `python -m bench.soak` draws it from `bench/soak.json`, which `make soak` writes."""

import json

from bench.table import FOLDER, PICTURES

_SECONDS_PER_MINUTE = 60
_NAMES = {"first": "worker (first, two processes)", "second": "worker (second, two processes)", "redis": "Redis, used"}


def main() -> None:
    """Draws the memory of each program over the run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    run = json.loads((FOLDER / "soak.json").read_text())
    picture, axes = pyplot.subplots(figsize=(9, 3.6))
    for program in run["growth"]:
        samples = [(one["seconds"] / _SECONDS_PER_MINUTE, one[program]) for one in run["samples"] if program in one]
        axes.plot(*zip(*samples, strict=True), linewidth=1, label=_NAMES.get(program, program))
    axes.set(xlabel="minutes", ylabel="memory in MiB", ylim=(0, None))
    axes.legend(loc="center", bbox_to_anchor=(0.5, 0.55), frameon=False, ncols=3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    picture.savefig(PICTURES / "soak.svg", bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
