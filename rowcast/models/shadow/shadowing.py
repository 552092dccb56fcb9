"""Setting the shadow of an alias, the rules for it, and which jobs it scores."""

from datetime import UTC, datetime

from rowcast.errors import OptionUnsuitable, OptionValue, UnknownModel
from rowcast.models.model_manifest import VERSION, Manifest
from rowcast.models.naming.aliases import LATEST, PRODUCTION
from rowcast.models.registry import Registry
from rowcast.models.shadow.alias_shadows import AliasShadow
from rowcast.pools import Pools

DEFAULT_SHARE = 0.1
"""Share of jobs if none is given."""


def set_shadow(
    registry: Registry, name: str, alias: str, reference: str, share: float, *, pools: Pools, by: str = ""
) -> AliasShadow:
    """Lets the version `reference` score a share of the jobs that resolve through an alias.

    Raises:
        UnknownModel: there is no such model, alias or version; the message names the nearest.
        OptionValue: the share is not between 0 and 1. OptionUnsuitable: the two versions cannot be compared.
    """
    if not 0 <= share <= 1:
        raise OptionValue.at("share", "has to be between 0 and 1, for example 0.1")
    version, shadow = require_alias_of(registry, name, alias), registry.resolve(reference)
    if why := _why_unfit(version, shadow, f"{name}@{alias}", pools):
        raise OptionUnsuitable.at("model", why)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = AliasShadow(model=shadow.reference, share=share, at=now, by=by or registry.actor)
    registry.shadows.set(name, alias, found)
    return found


def remove_shadow(registry: Registry, name: str, alias: str) -> AliasShadow | None:
    """Lets only the alias's own version score its jobs. Returns the shadow that it had.

    Raises:
        UnknownModel: there is no such model or alias.
    """
    before = registry.shadows.read(name).get(alias)
    if before is None:  # else it may be left of an alias that was removed
        require_alias_of(registry, name, alias)
    registry.shadows.set(name, alias, None)
    return before


def require_alias_of(registry: Registry, name: str, alias: str) -> Manifest:
    """Returns the version that an alias names now.

    Raises:
        UnknownModel: it does not exist, or is the number of a version.
    """
    found = registry.resolve(f"{name}@{alias}")
    if alias not in registry.aliases(name):
        raise UnknownModel(f"{found.reference} is a version, not an alias; only an alias can have a shadow.")
    return found


def shadow_of(registry: Registry, reference: str, version: Manifest, pools: Pools) -> AliasShadow | None:
    """Returns the shadow of jobs that ask for `reference` and get `version`; None if they have none.

    A reference with a version's number resolves through no alias. An alias that was moved to its shadow has none until
    it is moved away.
    """
    name, alias = version.name, _alias_in(registry, reference)
    found = registry.shadows.read(name).get(alias) if alias else None
    if found is None or found.model == version.reference:
        return None
    return found if pools.of_model(found.model.partition("@")[0]) == pools.of_model(name) else None


def shadowed_by(registry: Registry, name: str, version: str) -> list[str]:
    """Returns the aliases, of any model, that have this version as their shadow: `NAME@ALIAS`."""
    shadows = {one: registry.shadows.read(one) for one in registry.names()}
    return [
        f"{one}@{alias}"
        for one, found in shadows.items()
        for alias, shadow in found.items()
        if shadow.model == f"{name}@{version}"
    ]


def _alias_in(registry: Registry, reference: str) -> str | None:
    """Returns the alias through which `NAME` or `NAME@ALIAS` finds its version; None for `NAME@VERSION`."""
    name, at, wanted = reference.partition("@")
    if at:
        return None if VERSION.fullmatch(wanted) else wanted
    return PRODUCTION if PRODUCTION in registry.aliases(name) else LATEST


def _why_unfit(version: Manifest, shadow: Manifest, place: str, pools: Pools) -> str | None:
    """Returns why a version cannot be a shadow of another one; None if it can."""
    if shadow.reference == version.reference:
        return f"{shadow.reference} is what {place} names now: a version cannot be its own shadow"
    if shadow.task != version.task:
        tasks = f"{shadow.reference} does {shadow.task}, and {version.reference} does {version.task}"
        return f"{tasks}: their predictions cannot be compared"
    if len(shadow.outputs or [""]) != len(version.outputs or [""]):
        counts = f"{len(shadow.outputs or [''])} instead of {len(version.outputs or [''])}"
        return f"{shadow.reference} has another number of outputs than {version.reference}, {counts}"
    if lacking := [name for name in shadow.required_names if name not in version.feature_names]:
        return (
            f"{shadow.reference} needs columns that {version.reference} does not have, so files for {place} may lack "
            f"them: {', '.join(lacking[:10])}{' …' if len(lacking) > 10 else ''}"
        )
    one, other = pools.of_model(version.name), pools.of_model(shadow.name)
    if one != other:
        named = [f"{pool!r}" if pool else "the default one" for pool in (one, other)]
        return f"{version.name} and {shadow.name} belong to different pools of workers, {' and '.join(named)}"
    return None
