"""What a model and an alias may be called when they are made."""

from rowcast.errors import InvalidName
from rowcast.models.model_manifest import NAME

_FORM = "1 to 64 letters, digits, dots, hyphens and underscores, the first is a letter or digit"


def require_name(name: str) -> None:
    """Passes a name that a model can have.

    Raises:
        InvalidName: saying what a name takes.
    """
    if not NAME.fullmatch(name):
        raise InvalidName.at("name", f"{shown(name)} is not a valid name for a model: it has {_FORM}")


def require_alias(alias: str) -> None:
    """Passes an alias that a version can have: a name that cannot be taken for a version.

    Raises:
        InvalidName: saying what an alias takes.
    """
    if not NAME.fullmatch(alias) or alias.isdigit():
        raise InvalidName.at("alias", f"{shown(alias)} is not a valid alias: it has {_FORM}, not only digits")


def shown(name: str) -> str:
    """A name out of a request, cut to what a sentence can hold."""
    return repr(name if len(name) <= 80 else name[:80] + "…")
