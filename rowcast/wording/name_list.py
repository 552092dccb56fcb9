"""Lists of names in one text, as a line of a CSV: a name with a comma, or with a quote at its beginning, is quoted."""

import csv
from collections.abc import Iterable


def split(text: str) -> list[str]:
    """Returns the names of a list such as `a,"b, c"`.

    Raises:
        ValueError: a quote has no second one, or something other than a comma follows it.
    """
    if '"' not in text:
        return text.split(",")
    try:
        lines = list(csv.reader([text], strict=True))
    except csv.Error:
        raise ValueError('has a quote too many or too few; a name with a comma is written as "a, b"') from None
    return [name for line in lines for name in line]


def join(names: Iterable[str]) -> str:
    """Returns the list of the names, which `split` reads as the same names."""
    return ",".join(_quoted(name) for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or name.startswith('"') else name
