"""The summary of predictions: how often each class was predicted, or figures of numbers, for each output of a model.

The summaries of chunks merge into that of the job, in any order. Redis does the merging, in a hash
(rowcast/jobs/records/scripts/lua/shared/summary.lua).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from typing_extensions import TypedDict

from rowcast.jobs.number_summary import Numbers, NumberSummary, added

MAX_OUTPUTS = 20
"""How many outputs of a model have a summary: the first ones. Each may take a thousand bins in Redis."""


class ClassSummary(TypedDict):
    """How often each class was predicted."""

    classes: dict[str, int]


class OutputSummary(TypedDict):
    """The summary of each output of a model with several, by the output's name; of the first 20 if there are more.

    `not_finite` counts the predictions of all outputs that are infinite or not a number (NaN).
    """

    outputs: dict[str, ClassSummary | NumberSummary]
    not_finite: int


AnySummary = ClassSummary | NumberSummary | OutputSummary
"""A summary as a job shows it."""


@dataclass(frozen=True)
class Outputs:
    """The summaries of a model with several outputs."""

    #: Name and summary of each output; at most `MAX_OUTPUTS`.
    named: tuple[tuple[str, "Summary"], ...]
    #: Number of predictions of all outputs that are infinite or NaN.
    not_finite: int = 0

    def to_json(self) -> dict[str, Any]:
        """Returns what is sent to Redis."""
        return {
            "outputs": [{"name": name, **summary.to_json()} for name, summary in self.named],
            "not_finite": self.not_finite,
        }

    def plus(self, other: "Outputs") -> "Outputs":
        """Returns the summary of both together."""
        pairs = zip(self.named, other.named, strict=True)
        return Outputs(
            tuple((name, merge(one, another)) for (name, one), (_, another) in pairs),
            self.not_finite + other.not_finite,
        )

    def render(self) -> OutputSummary:
        """Returns what a job shows."""
        shown = {name: cast(ClassSummary | NumberSummary, summary.render()) for name, summary in self.named}
        return {"outputs": shown, "not_finite": self.not_finite}


@dataclass(frozen=True)
class Summary:
    """The summary of predictions. One of the three fields is set."""

    #: Of a classifier: how often each label was predicted, by the label's text.
    classes: dict[str, int] | None = None
    #: Of a regressor: the figures of its predictions.
    numbers: Numbers | None = None
    #: Of a model with several outputs: the summary of each.
    outputs: Outputs | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns what is sent to Redis."""
        if self.outputs is not None:
            return self.outputs.to_json()
        if self.numbers is None:
            return {"classes": self.classes or {}}
        figures = self.numbers
        return {
            "numbers": {
                "count": figures.count,
                "minimum": figures.minimum,
                "maximum": figures.maximum,
                "total": {str(limb): amount for limb, amount in figures.total.items()},
                "exponent": figures.exponent,
                "bins": {str(index): count for index, count in figures.bins.items()},
                "not_finite": figures.not_finite,
            }
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Summary":
        """Reads what `to_json` returned."""
        if "outputs" in document:
            named = tuple((one["name"], cls.from_json(one)) for one in document["outputs"])
            return cls(outputs=Outputs(named, document["not_finite"]))
        if "classes" in document:
            return cls(classes=dict(document["classes"]))
        figures = dict(document["numbers"])
        for name in ("total", "bins"):
            figures[name] = {int(key): int(value) for key, value in figures[name].items()}
        return cls(numbers=Numbers(**figures))

    def render(self) -> AnySummary:
        """Returns what a job shows as its summary."""
        if self.outputs is not None:
            return self.outputs.render()
        return self.numbers.render() if self.numbers is not None else {"classes": self.classes or {}}


def merge(one: Summary, other: Summary) -> Summary:
    """Returns the summary of both together. Redis computes the same one."""
    if one.outputs is not None and other.outputs is not None:
        return Summary(outputs=one.outputs.plus(other.outputs))
    if one.numbers is not None and other.numbers is not None:
        return Summary(numbers=one.numbers.plus(other.numbers))
    return Summary(classes=added([one.classes or {}, other.classes or {}]))


def render_fields(fields: Mapping[bytes, bytes]) -> AnySummary:
    """Returns what a job shows, from the hash in which Redis adds up the parts.

    Its fields are `class:LABEL`, or figures, `total:LIMB` and `bin:INDEX`. For several outputs, each has the field
    `PLACE/name`, and `PLACE/` before its other fields: for example `0/class:LABEL`.
    """
    outputs: dict[int, dict[bytes, bytes]] = {}
    for name, value in fields.items():
        place, slash, rest = name.partition(b"/")
        if slash and place.isdigit():
            outputs.setdefault(int(place), {})[rest] = value
    if not outputs:
        return _summary(fields).render()
    named = tuple((one.pop(b"name").decode(), _summary(one)) for _, one in sorted(outputs.items()))
    return Outputs(named, int(fields.get(b"not_finite", 0))).render()


def _summary(fields: Mapping[bytes, bytes]) -> Summary:
    counts: dict[str, dict[str, int]] = {"class": {}, "total": {}, "bin": {}}
    figures: dict[str, float] = {}
    for name, value in fields.items():
        kind, colon, key = name.decode().partition(":")
        if colon:
            counts[kind][key] = int(value)
        else:
            figures[kind] = float(value)
    not_finite = int(figures.get("not_finite", 0))
    if "count" not in figures:
        return Summary(numbers=Numbers(not_finite=not_finite)) if not_finite else Summary(classes=counts["class"])
    known = Numbers(
        int(figures["count"]),
        figures["minimum"],
        figures["maximum"],
        {int(limb): amount for limb, amount in counts["total"].items()},
        int(figures["exponent"]),
        {int(index): count for index, count in counts["bin"].items()},
        not_finite,
    )
    return Summary(numbers=known)
