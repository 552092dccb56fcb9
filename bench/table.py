"""The figures as they come out: a table, a file, a picture."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "performance.md"
PICTURES = PAGE.parent / "pictures"
_TABLE = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


@dataclass(frozen=True)
class Figure:
    """One number and its goal. `sense`: the number is to be at least, or at most, the goal."""

    name: str
    compared: str
    value: float
    unit: str
    goal: float
    sense: Literal["at least", "at most"]
    detail: str = ""
    """The single measurements behind it, for people."""

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.sense == "at least" else self.value <= self.goal

    @property
    def share(self) -> float:
        """How much of the goal is reached; 1 and more is all of it."""
        return self.value / self.goal if self.sense == "at least" else self.goal / max(self.value, 1e-9)

    def line(self) -> str:
        """Returns a row of the table."""
        verdict = "met" if self.is_met else "missed"
        goal = f"{self.sense} {self.goal:g}{self.unit}"
        return f"| {self.name} | {self.compared} | {self.value:.3g}{self.unit} | {goal} | {verdict} | {self.detail} |"


def table(figures: Iterable[Figure]) -> str:
    """Returns all rows, as Markdown."""
    head = ["| figure | compared with | measured | goal | verdict | |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join(head + [figure.line() for figure in figures])


def kept() -> list[Figure]:
    """Returns the figures of earlier runs, as `results.json` has them."""
    file = FOLDER / "results.json"
    return [Figure(**entry) for entry in json.loads(file.read_text())["figures"]] if file.exists() else []


def keep(figures: Iterable[Figure], machine: str) -> list[Figure]:
    """Writes `results.json`, and the table in docs/performance.md; figures of other runs stay. Returns all figures."""
    known = {figure.name: figure for figure in [*kept(), *figures]}
    document = {"machine": machine, "figures": [asdict(figure) for figure in known.values()]}
    (FOLDER / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    page = _TABLE.sub(lambda found: f"{found[1]}{table(known.values())}\n{found[2]}", PAGE.read_text())
    PAGE.write_text(page)
    return list(known.values())


def plot(figures: Iterable[Figure]) -> None:
    """Draws `bench-results.png`, how much of its goal each figure reaches, and `bench-faster.svg` for the README."""
    import matplotlib

    matplotlib.use("Agg")
    drawn = list(figures)
    _plot_goals(drawn[::-1])
    _plot_faster(drawn)


def _plot_goals(drawn: list[Figure]) -> None:
    from matplotlib import pyplot

    picture, axes = pyplot.subplots(figsize=(9, 0.28 * len(drawn) + 1))
    axes.margins(y=0.01)
    colours = ["#2a7f62" if figure.is_met else "#c2703d" for figure in drawn]
    axes.barh([figure.name for figure in drawn], [min(figure.share, 3) for figure in drawn], color=colours)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xlabel("share of the goal that is reached (1: met; cut off at 3)")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    picture.savefig(PICTURES / "bench-results.png", dpi=110, bbox_inches="tight")


def _plot_faster(figures: list[Figure]) -> None:
    """Draws how many times faster than the script each model is, over each file."""
    from matplotlib import pyplot

    compared = [figure for figure in figures if figure.compared == "the script"][::-1]
    picture, axes = pyplot.subplots(figsize=(9, 0.32 * len(compared) + 0.9))
    axes.margins(x=0.12, y=0.02)
    colours = ["#2a7f62" if figure.name.endswith("joined") else "#69b394" for figure in compared]
    bars = axes.barh([figure.name for figure in compared], [figure.value for figure in compared], color=colours)
    axes.bar_label(bars, [f"{figure.value:.1f} times" for figure in compared], padding=4, fontsize=9)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xlabel("times as fast as the script with read_csv, predict and to_csv (1: the script)")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    picture.savefig(PICTURES / "bench-faster.svg", bbox_inches="tight", metadata={"Date": None})
