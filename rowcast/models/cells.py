"""Cells: which texts mean a number, true, false or a missing value. Training, registration and scoring share it.

For example, `number(" 1.5 ")` is 1.5, `number("1_000")` is None, `boolean("TRUE")` is True, and `"NA"` is missing.
Each rule is the one of pandas 3.1 (`pandas.read_csv`), because the service promises what a user's script predicts.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence

NA_TEXTS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""The cells that `pandas.read_csv` reads as missing by default (`STR_NA_VALUES`)."""

NAT_TEXTS = frozenset({"NaT", "nat", "NAT", "nan", "NaN", "NAN"})
"""The cells that `pandas.to_datetime` reads as missing, in addition."""

TRUE, FALSE = "true", "false"
"""The words that mean true and false, in any case, for pandas and for JSON."""

TRUE_TEXTS, FALSE_TEXTS = (TRUE, "1", "1.0"), (FALSE, "0", "0.0")
"""The cells that mean true and false, in any case, if a feature does not name its own; each with its opposite."""

BOOLEAN_PAIRS = {"yes": "no", "y": "n", "t": "f", "on": "off", **dict(zip(TRUE_TEXTS, FALSE_TEXTS, strict=True))}
"""The texts that people write for true, each with the text for false that goes with it."""

LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")
"""Digits that are text, for example the zip code `01067`: as a number they would lose the zero."""

_WHOLE_NUMBER = re.compile(r"[ \t]*[+-]?0{0,4000}[0-9]{1,19}[ \t]*")


def number(text: str) -> float | None:
    """Returns the number that Python's `float` reads, which may be infinite or NaN; None if there is none.

    Underscores, which `float` accepts in `1_000`, are not part of a number, nor are digits and blanks beyond ASCII, for
    example Arabic ones, as in pandas.
    """
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def numbers(texts: Sequence[str]) -> list[float] | None:
    """Returns what `number` reads from each text, faster; None if one of them is not a number."""
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    joined = "".join(texts)
    return None if "_" in joined or not joined.isascii() else values


def whole_number(text: str) -> int | None:
    """Returns the whole number of 64 bits that the text is, for example `-12`; None for `12.0` and others."""
    if _WHOLE_NUMBER.fullmatch(text) and is_whole(int(text)):
        return int(text)
    return None


def boolean(text: str, true: Iterable[str] = (TRUE,), false: Iterable[str] = (FALSE,)) -> bool | None:
    """Returns whether the text means true; None if it is in neither list. Case makes no difference."""
    folded = text.lower()
    for texts, value in ((true, True), (false, False)):
        if any(folded == one.lower() for one in texts):
            return value
    return None


def boolean_pair(texts: Iterable[str]) -> tuple[str, str] | None:
    """Returns how a column writes true and false, for example `("yes", "no")`; None if it has other cells too."""
    folded = {text.strip().lower() for text in texts}
    return next((pair for pair in BOOLEAN_PAIRS.items() if folded and folded <= set(pair)), None)


def is_finite(value: float) -> bool:
    """Returns whether a float can hold the number. A whole number from JSON may be too large."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_whole(value: float) -> bool:
    """Returns whether the number is a whole number of 64 bits; 3.0 is."""
    return is_finite(value) and float(value).is_integer() and -(2**63) <= value < 2**63


def na_texts(named: Iterable[str], *, keep_default: bool) -> tuple[str, ...]:
    """Returns the cells that mean missing: the `named` ones, and pandas' own if they are kept."""
    return tuple(dict.fromkeys((*(NA_TEXTS if keep_default else ()), *named)))


def na_numbers(texts: Iterable[str]) -> Iterator[float]:
    """Yields the numbers among the texts that mean missing: if `-999` does, so does `-999.00`, as in pandas.

    pandas reads them with `float`, so here underscores are allowed (`_floatify_na_values`).
    """
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            continue
        if not math.isnan(value):
            yield value


def na_spellings(texts: Iterable[str]) -> Iterator[str]:
    """Yields the texts, and the spellings that pandas adds to numbers (`_stringify_na_values`): `-999` and `-999.0`."""
    for text in texts:
        yield text
        for value in na_numbers([text]):
            yield str(value)
            if value.is_integer():
                yield f"{int(value)}.0"
                yield str(int(value))
