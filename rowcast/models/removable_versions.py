"""The versions of a model that may be removed: all but the newest, and those that an alias, a shadow or a job needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class VersionUse:
    """A version, and why it is kept."""

    version: str
    #: Why it is kept, in words; empty if it may be removed.
    kept_because: str

    @property
    def is_removable(self) -> bool:
        """Whether nothing needs it."""
        return not self.kept_because


def uses_of(
    versions: Sequence[str],
    aliases: Mapping[str, str],
    jobs: Mapping[str, int],
    keep: int,
    shadows: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[VersionUse]:
    """Returns each version with why it is kept, the oldest first.

    Args:
        versions: all versions, the oldest first.
        aliases: alias → version.
        jobs: version → number of jobs that need it.
        keep: how many of the newest are kept in any case.
        shadows: version → aliases of which it is the shadow.
    """
    newest = set(versions[-keep:]) if keep else set()
    return [
        VersionUse(
            version,
            _named(version, aliases)
            or _shadowing(shadows.get(version, ()))
            or _reason(version, newest, jobs.get(version, 0), keep),
        )
        for version in versions
    ]


def _named(version: str, aliases: Mapping[str, str]) -> str:
    return ", ".join(sorted(alias for alias, meant in aliases.items() if meant == version))


def _shadowing(places: Sequence[str]) -> str:
    return f"the shadow of {', '.join(places)}" if places else ""


def _reason(version: str, newest: set[str], jobs: int, keep: int) -> str:
    if jobs:
        return f"needed by {jobs:,} {'job' if jobs == 1 else 'jobs'}"
    return f"among the newest {keep}" if version in newest else ""
