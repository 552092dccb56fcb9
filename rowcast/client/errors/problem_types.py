"""Which exception belongs to a type of problem: the class in a module of problems that is named as the type is."""

import re
from collections.abc import Iterator

from rowcast.client.errors import ClientError, alias_problems, problems, request_problems, url_problems

_MODULES = tuple(module.__name__ for module in (alias_problems, problems, request_problems, url_problems))
_PREFIX = "urn:rowcast:problem:"


def _below(kind: type[ClientError]) -> Iterator[type[ClientError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _type_of(kind: type[ClientError]) -> str:
    """Returns the type of problem that a class is named after, for example `urn:rowcast:problem:missing-columns`."""
    return _PREFIX + re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


BY_TYPE: dict[str, type[ClientError]] = {
    _type_of(kind): kind for kind in _below(ClientError) if kind.__module__ in _MODULES
}
"""The exception of each type. A type that is not here, for example of a newer service, has that of its status."""
