"""A number of things in words, for messages and pages."""

_ENDINGS_WITH_ES = ("s", "x", "ch", "sh")


def counted(number: int, noun: str) -> str:
    """Returns the number with its noun, for example `1 row` and `1,200 rows`."""
    plural = noun + ("es" if noun.endswith(_ENDINGS_WITH_ES) else "s")
    return f"{number:,} {noun if number == 1 else plural}"
