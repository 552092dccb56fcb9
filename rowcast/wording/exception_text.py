"""The text of an exception, in one line of limited length, as a message to a user has it."""

_CHARACTERS = 300


def one_line(error: Exception) -> str:
    """Returns what an exception says; its type if it says nothing."""
    return _shortened(error, _CHARACTERS) or type(error).__name__


def one_line_with_type(error: Exception | None, characters: int) -> str:
    """Returns type and text, for example `ValueError: could not convert`. The text is cut after `characters`."""
    return f"{type(error).__name__}: {_shortened(error, characters)}"


def _shortened(error: Exception | None, characters: int) -> str:
    return " ".join(str(error).split())[:characters]
