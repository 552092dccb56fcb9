"""The summary of predictions: how often each class was predicted, or figures of numbers, for each output of a model.

If two models predict, it has the summary of each, and in how many rows they disagree.

The summaries of chunks merge into that of the job, in any order. Redis does the merging, in a hash
(rowcast/jobs/records/scripts/lua/shared/summary.lua).
"""

from collections.abc import Iterator, Mapping
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


OneModelSummary = ClassSummary | NumberSummary | OutputSummary
"""The summary of one model's predictions."""


class Disagreement(TypedDict):
    """In how many rows two models predicted something else, and which share of the predicted rows that is, 0 to 1."""

    rows: int
    fraction: float


class PairSummary(TypedDict):
    """The summaries of two models, by the name that their columns have (`titanic`, or `titanic@1`).

    `disagreement` is null if the models have different numbers of outputs, so that they cannot be compared.
    """

    models: dict[str, OneModelSummary]
    disagreement: Disagreement | None


AnySummary = OneModelSummary | PairSummary
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
class Pair:
    """The summaries of two models that predicted the same rows."""

    #: Label (`model_set.labels_of`) and summary of each model.
    named: tuple[tuple[str, "Summary"], ...]
    #: Number of rows that both models predicted; None if their predictions cannot be compared.
    compared: int | None = None
    #: Number of rows among them for which the predictions differ.
    disagreeing: int = 0

    def to_json(self) -> dict[str, Any]:
        """Returns what is sent to Redis. `compared` is -1 if the predictions cannot be compared."""
        return {
            "models": [{"name": name, **summary.to_json()} for name, summary in self.named],
            "compared": -1 if self.compared is None else self.compared,
            "disagreeing": self.disagreeing,
        }

    def plus(self, other: "Pair") -> "Pair":
        """Returns the summary of both together."""
        pairs = zip(self.named, other.named, strict=True)
        is_comparable = self.compared is not None and other.compared is not None
        return Pair(
            tuple((name, merge(one, another)) for (name, one), (_, another) in pairs),
            (self.compared or 0) + (other.compared or 0) if is_comparable else None,
            self.disagreeing + other.disagreeing,
        )

    def render(self) -> PairSummary:
        """Returns what a job shows."""
        disagreement: Disagreement | None = None
        if self.compared is not None:
            fraction = self.disagreeing / self.compared if self.compared else 0.0
            disagreement = {"rows": self.disagreeing, "fraction": fraction}
        shown = {name: cast(OneModelSummary, summary.render()) for name, summary in self.named}
        return {"models": shown, "disagreement": disagreement}


@dataclass(frozen=True)
class Summary:
    """The summary of predictions. One of the four fields is set."""

    #: Of a classifier: how often each label was predicted, by the label's text.
    classes: dict[str, int] | None = None
    #: Of a regressor: the figures of its predictions.
    numbers: Numbers | None = None
    #: Of a model with several outputs: the summary of each.
    outputs: Outputs | None = None
    #: Of two models: the summary of each.
    pair: Pair | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns what is sent to Redis."""
        if self.pair is not None:
            return self.pair.to_json()
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
        if "models" in document:
            both = tuple((one["name"], cls.from_json(one)) for one in document["models"])
            compared = document["compared"]
            return cls(pair=Pair(both, None if compared < 0 else compared, document["disagreeing"]))
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
        if self.pair is not None:
            return self.pair.render()
        if self.outputs is not None:
            return self.outputs.render()
        return self.numbers.render() if self.numbers is not None else {"classes": self.classes or {}}


def merge(one: Summary, other: Summary) -> Summary:
    """Returns the summary of both together. Redis computes the same one."""
    if one.pair is not None and other.pair is not None:
        return Summary(pair=one.pair.plus(other.pair))
    if one.outputs is not None and other.outputs is not None:
        return Summary(outputs=one.outputs.plus(other.outputs))
    if one.numbers is not None and other.numbers is not None:
        return Summary(numbers=one.numbers.plus(other.numbers))
    return Summary(classes=added([one.classes or {}, other.classes or {}]))


def render_fields(fields: Mapping[bytes, bytes]) -> AnySummary:
    """Returns what a job shows, from the hash in which Redis adds up the parts.

    Its fields are `class:LABEL`, or figures, `total:LIMB` and `bin:INDEX`. For several outputs, each has the field
    `PLACE/name`, and `PLACE/` before its other fields: for example `0/class:LABEL`. For two models, each has the field
    `mPLACE/name`, and `mPLACE/` before its other fields: for example `m1/class:LABEL` or `m1/0/class:LABEL`.
    """
    models = _by_place(fields, b"m")
    if not models:
        return _of_model(fields).render()
    named = tuple((one.pop(b"name").decode(), _of_model(one)) for one in models)
    compared = fields.get(b"compared")
    disagreeing = int(fields.get(b"disagreeing", 0))
    return Pair(named, None if compared is None else int(compared), disagreeing).render()


def not_finite_in(summary: AnySummary | None) -> int:
    """Returns how many predictions in a summary are infinite or not a number."""
    return sum(_not_finite(cast(Mapping[str, Any], summary or {})))


def _not_finite(summary: Mapping[str, Any]) -> Iterator[int]:
    yield summary.get("not_finite", 0)
    for one in summary.get("models", {}).values():
        yield one.get("not_finite", 0)


def _by_place(fields: Mapping[bytes, bytes], mark: bytes) -> list[dict[bytes, bytes]]:
    """Returns the fields of each place in order, without `MARK PLACE/` in front of them."""
    found: dict[int, dict[bytes, bytes]] = {}
    for name, value in fields.items():
        place, slash, rest = name.partition(b"/")
        number = place.removeprefix(mark)
        if slash and place.startswith(mark) and number.isdigit():
            found.setdefault(int(number), {})[rest] = value
    return [one for _, one in sorted(found.items())]


def _of_model(fields: Mapping[bytes, bytes]) -> Summary:
    outputs = _by_place(fields, b"")
    if not outputs:
        return _summary(fields)
    named = tuple((one.pop(b"name").decode(), _summary(one)) for one in outputs)
    return Summary(outputs=Outputs(named, int(fields.get(b"not_finite", 0))))


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
