"""The valid names of models and aliases, checked when they are made."""

from rowcast.errors import InvalidName, Unprocessable
from rowcast.models.model_manifest import MAX_DESCRIPTION, NAME

_FORM = "1 to 64 letters, digits, dots, hyphens and underscores, the first is a letter or digit"


def require_name(name: str) -> None:
    """Checks that a model can have this name.

    Raises:
        InvalidName: it cannot; the error says which names are valid.
    """
    if not NAME.fullmatch(name):
        raise InvalidName.at("name", f"{shown(name)} is not a valid name for a model: it has {_FORM}")


def require_alias(alias: str) -> None:
    """Checks that a version can have this alias, which must not look like a version number.

    Raises:
        InvalidName: it cannot; the error says which aliases are valid.
    """
    if not NAME.fullmatch(alias) or alias.isdigit():
        raise InvalidName.at("alias", f"{shown(alias)} is not a valid alias: it has {_FORM}, not only digits")


def require_description(description: str | None) -> None:
    """Checks that a description is short enough.

    Raises:
        Unprocessable: it is too long.
    """
    if description is not None and len(description) > MAX_DESCRIPTION:
        raise Unprocessable.at("description", f"it has {len(description):,} characters; at most {MAX_DESCRIPTION:,}")


def shown(name: str) -> str:
    """Returns a name from a request in quotes, cut to 80 characters."""
    return repr(name if len(name) <= 80 else name[:80] + "…")
