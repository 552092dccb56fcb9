"""The command `models shadow`: another version scores a share of an alias's files, too, to be compared."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rowcast.cli.connection_options import ApiKey, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import say
from rowcast.cli.registry_location import RegistryLocation, open_registry
from rowcast.wording.quantity import counted as counted_rows

if TYPE_CHECKING:
    from rowcast.models.model_manifest import Manifest
    from rowcast.models.registry import Registry


def add_to(models: typer.Typer) -> None:
    """Adds the command."""
    models.command()(shadow)


def shadow(
    place: Annotated[str, typer.Argument(metavar="NAME@ALIAS", help="The alias, for example titanic@production.")],
    model: Annotated[
        str | None,
        typer.Argument(metavar="[NAME@VERSION]", help="The version that scores as well.", show_default=False),
    ] = None,
    *,
    share: Annotated[float, typer.Option("--share", min=0, max=1, help="Share of the files that it scores.")] = 0.1,
    off: Annotated[bool, typer.Option("--off", help="Remove the shadow.")] = False,
    where: RegistryLocation = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Let another version score a share of an alias's files, too, and count how often it differs.

    Results still come from the version that the alias names. `rowcast models show` has the counts. With --url (or
    ROWCAST_URL) and no registry named, the service sets the shadow; otherwise this command does, in the registry.

    Examples:
        rowcast models shadow titanic@production titanic@4 --share 0.1
        rowcast models shadow titanic@production --off
    """
    name, at, alias = place.partition("@")
    if not at or not alias:
        raise typer.BadParameter(
            f"{place!r} is not NAME@ALIAS, for example titanic@production", param_hint="NAME@ALIAS"
        )
    if off == (model is not None):
        raise typer.BadParameter("give either the version that is to score as well, or --off")
    if url and not where and not data:
        with client(url, api_key, data) as service:
            if model is None:
                service.remove_shadow(name, alias)
            else:
                model = str(service.set_shadow(name, alias, model, share)["shadow"]["model"])
            location = service.url
    else:
        registry, location = open_registry(where, data)
        model = _set_in(registry, name, alias, model, share)
    done = "has no shadow now" if model is None else f"has the shadow {model} for a share of {share:g} of its files"
    say(f"{place} {done}, in {location}.")


def shadows_of(registry: "Registry", manifest: "Manifest", data: Path | None) -> dict[str, Any]:
    """Returns alias → its shadow, for the aliases that name a version now.

    Each has `counts`, or None if the service's Redis cannot be reached.
    """
    from rowcast.cli.operation.service_settings import find_service
    from rowcast.jobs.records.redis_client import connect
    from rowcast.jobs.shadow.shadow_records import counted

    shadows = registry.shadows.read(manifest.name)
    found = {alias: shadows[alias] for alias in registry.aliases_of(manifest) if alias in shadows}
    if not found:
        return {}
    with closing(connect(find_service(data).settings.redis_url, timeout_seconds=2)) as redis:
        counts = counted(redis, [(manifest.reference, shadow.model) for shadow in found.values()])
    pairs = zip(found.items(), counts, strict=True)
    return {alias: {**shadow.model_dump(), "counts": one} for (alias, shadow), one in pairs}


def in_words(shadows: Mapping[str, Any]) -> dict[str, str]:
    """Returns the line of `rowcast models show` about shadows; none if there are none."""
    lines = []
    for alias, shadow in shadows.items():
        counts, differs = shadow["counts"], "the service that counts cannot be reached"
        if counts:
            differs = f"{counts['differing']:,} of {counted_rows(counts['rows'], 'row')} differ"
            differs += f", {counts['failed']:,} failed" if counts["failed"] else ""
            differs += f", {counted_rows(counts['errors'], 'chunk')} could not be scored" if counts["errors"] else ""
        lines.append(f"{alias}: {shadow['model']} for {shadow['share']:g} of the files; {differs}")
    return {"shadow": "; ".join(lines)} if lines else {}


def shadowed_by_versions(registry: "Registry", name: str, versions: Sequence[str]) -> list[str]:
    """Returns the aliases that have one of these versions as their shadow, except those of the same model if all go."""
    from rowcast.models.shadow.shadowing import shadowed_by

    found = [place for version in versions for place in shadowed_by(registry, name, version)]
    goes = set(registry.versions(name)) <= set(versions)
    return [place for place in found if not (goes and place.partition("@")[0] == name)]


def drop(registry: "Registry", places: Sequence[str]) -> None:
    """Removes the shadows of aliases, each `NAME@ALIAS`."""
    for name, _, alias in (place.partition("@") for place in places):
        registry.shadows.set(name, alias, None)


def _set_in(registry: "Registry", name: str, alias: str, model: str | None, share: float) -> str | None:
    """Sets the shadow in the registry, or removes it (None). Returns the version that it is."""
    from rowcast.models.shadow.shadowing import remove_shadow, set_shadow
    from rowcast.pools import read_pools
    from rowcast.settings import Settings

    if model is None:
        remove_shadow(registry, name, alias)
        return None
    return set_shadow(registry, name, alias, model, share, pools=read_pools(Settings.read().pools)).model
