"""Whole numbers: up to which number a model predicts the same for them and for the floats that the service reads."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.models.model_manifest import Feature
from training.rehearsal.compare import difference
from training.rehearsal.users_script import Script

_ROWS = 64
_LEVELS = (31, 40, 53, 62)
_MOST_LEVEL = 62
_PROBES = 24
"""Maximum number of probes that find which columns need a limit, so that many columns do not take minutes."""

_MOST_NARROWINGS = 4

Outcome = Literal["same", "different", "fails"]


def bounded(script: Script, frame: pd.DataFrame, features: Sequence[Feature]) -> list[Feature]:
    """Returns the features, with a limit for numbers if the model computes with the whole numbers that pandas reads.

    Floats hold whole numbers to 2^53, and do not overflow at 64 bits. All columns are probed together, so that numbers
    within their limits are the same in products and sums as well.
    """
    names = [
        one.name
        for one in features
        if one.kind == "number" and one.name not in script.dialect.kinds and _is_whole(frame[one.name])
    ]
    probe = _Probe.of(script, frame, names)
    if not names or probe.outcome(_LEVELS) == "same":
        return list(features)
    level, probe = _first_different(probe)
    if level is None:
        return list(features)
    limits = {name: max(2**level - 1, probe.seen[name]) for name in _to_limit(probe, level)}
    return [one.model_copy(update={"largest": limits.get(one.name)}) for one in features]


def _is_whole(column: "pd.Series[Any]") -> bool:
    """Returns whether pandas would read the column as whole numbers in a file without its gaps."""
    values = column.dropna()
    return column.dtype.kind in "iuf" and bool((values % 1 == 0).all())


@dataclass(frozen=True)
class _Probe:
    """Predicts rows of the sample that have large numbers in these columns, once as whole numbers, once as floats."""

    script: Script
    #: Rows of the sample.
    frame: pd.DataFrame
    names: Sequence[str]
    #: The greatest absolute value of each column in the sample.
    seen: dict[str, int]
    #: The columns with negative values in the sample.
    signed: frozenset[str]

    @classmethod
    def of(cls, script: Script, frame: pd.DataFrame, names: Sequence[str]) -> "_Probe":
        rows = frame.iloc[np.arange(_ROWS) % len(frame)].reset_index(drop=True)
        lows, highs = frame[list(names)].min().fillna(0), frame[list(names)].max().fillna(0)
        seen = {name: max(abs(int(lows[name])), abs(int(highs[name]))) for name in names}
        return cls(script, rows, names, seen, frozenset(name for name in names if lows[name] < 0))

    def narrowed(self, names: Sequence[str]) -> "_Probe":
        """Returns the probe of some of the columns."""
        return _Probe(self.script, self.frame, names, self.seen, self.signed)

    def least(self, name: str) -> int:
        """Returns the level of the greatest number in the sample. From level n on, numbers are at least 2^n."""
        return min(max(0, self.seen[name].bit_length() - 1), _MOST_LEVEL)

    def outcome(self, levels: Sequence[int], others: int | None = None, free: frozenset[str] = frozenset()) -> Outcome:
        """Returns whether the script predicts the same for both forms, or fails for one of them.

        Args:
            levels: The rows have them in turn.
            others: The level of the columns that are not in `free`; None for `levels` as well.
            free: The columns that have `levels` in any case.
        """
        row = np.arange(_ROWS)[:, None]
        of_rows = np.array(levels)[row % len(levels)]
        chosen = np.broadcast_to(of_rows, (_ROWS, len(self.names)))
        if others is not None:
            chosen = np.where([name in free for name in self.names], chosen, others)
        chosen = np.maximum(chosen, [self.least(name) for name in self.names])
        turn = np.broadcast_to(row // len(levels), chosen.shape)
        numbers = _large(chosen, turn)
        negative = np.array([name in self.signed for name in self.names])
        places = np.arange(len(self.names))
        numbers = np.where(negative & ((turn + places) % 2 == 1), -numbers, numbers)
        try:
            first = self.script.shared_answers(self._with(numbers))
            second = self.script.shared_answers(self._with(numbers.astype("float64")))
        except Exception:
            return "fails"
        found = difference(first, second)
        return "same" if found is None or found.is_rounding else "different"

    def _with(self, numbers: NDArray[Any]) -> pd.DataFrame:
        large = pd.DataFrame(numbers, self.frame.index, list(self.names))
        rest = self.frame.drop(columns=list(self.names))
        if rest.empty:
            return large
        return pd.concat([rest, large], axis=1)[list(self.frame.columns)]


def _large(levels: NDArray[Any], turn: NDArray[Any]) -> NDArray[Any]:
    """Returns numbers between 2^level and its double, different in each row and column; each fourth is near the end."""
    row, place = np.indices(levels.shape)
    power = np.left_shift(np.int64(1), levels.astype("int64"))
    step = 50 + place % 47  # columns differ, so that a difference of two is not zero
    span, share = _ROWS * 97, row * step + 1
    numbers = power + power // span * share + power % span * share // span + row
    last = power - 1 + power
    large: NDArray[Any] = np.where(turn % 4 == 3, np.maximum(power, last - row * step % 97), np.minimum(numbers, last))
    return large


def _first_different(probe: _Probe) -> tuple[int | None, _Probe]:
    """Returns the lowest level with a difference (None if there is none), and the probe of the columns that work there.

    Four levels are tried together at first. If the script fails, the columns with which it fails keep the sample's
    values: an encoder that refuses unseen values would hide what the script does with the other columns.
    """
    levels = range(min(probe.least(name) for name in probe.names), _MOST_LEVEL + 1)
    narrowings = 0
    for first in range(0, len(levels), 4):
        group = levels[first : first + 4]
        together = probe.outcome(group)
        for level in group if together != "same" else ():
            outcome = probe.outcome((level,))
            if outcome == "fails" and narrowings < _MOST_NARROWINGS:
                narrowings += 1
                probe = probe.narrowed(_working(probe, level))
                if not probe.names:
                    return None, probe
                outcome = probe.outcome((level,))
            if outcome == "different":
                return level, probe
        if together == "different":
            return group[0], probe
    return None, probe


def _working(probe: _Probe, level: int) -> list[str]:
    """Returns the columns with which the script does not fail for numbers of this level, found by halving."""
    working: set[str] = set()
    waiting = deque([list(probe.names)])
    for _ in range(_PROBES):
        if not waiting:
            break
        group = waiting.popleft()
        if probe.narrowed(group).outcome((level,)) != "fails":
            working |= set(group)
        elif len(group) > 1:
            waiting += [group[: len(group) // 2], group[len(group) // 2 :]]
    return [name for name in probe.names if name in working]


def _to_limit(probe: _Probe, level: int) -> set[str]:
    """Returns the columns that need a limit, found by halving: next to numbers within it, the rest may be any."""
    limited = set(probe.names)
    waiting = deque([list(probe.names)])
    for _ in range(_PROBES):
        if not waiting:
            break
        group = waiting.popleft()
        free = frozenset(set(probe.names) - limited | set(group))
        if len(free) < len(probe.names) and probe.outcome(_LEVELS, max(level - 1, 0), free) == "same":
            limited -= set(group)
        elif len(group) > 1:
            waiting += [group[: len(group) // 2], group[len(group) // 2 :]]
    return limited
