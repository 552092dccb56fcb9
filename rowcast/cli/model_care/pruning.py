"""The command `models prune`, which removes old versions that nothing needs any more."""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data
from rowcast.cli.output import print_json, print_table, say
from rowcast.cli.registry_location import RegistryLocation, open_registry
from rowcast.errors import RowcastError, UnknownModel
from rowcast.wording.quantity import counted


def add_to(models: typer.Typer) -> None:
    """Adds the command."""
    models.command()(prune)


def prune(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    *,
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of the newest versions stay in any case.")] = 5,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them; otherwise they are only listed.")] = False,
    no_service: Annotated[
        bool, typer.Option("--no-service", help="No service uses this registry, so no job needs a version.")
    ] = False,
    where: RegistryLocation = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the old versions that nothing needs any more, and with --yes remove them.

    Versions that an alias names or has as its shadow, and those that a job needs, are kept: unfinished jobs, and files
    that can still be repaired or retried. Jobs are read from the Redis of the service, which need not run.

    Examples:
        rowcast models prune titanic --keep 5
        rowcast models prune titanic --keep 5 --yes
    """
    from rowcast.models.removable_versions import uses_of
    from rowcast.models.shadow.shadowing import shadowed_by

    registry, place = open_registry(where, data)
    versions = registry.versions(name)
    if not versions:
        registry.resolve(name)
        raise UnknownModel(f"Model not found: {name}.")
    needed = {} if no_service else _needed(name, data, registry_is_named=bool(where))
    shadows = {version: shadowed_by(registry, name, version) for version in versions}
    uses = uses_of(versions, registry.aliases(name), needed, keep, shadows)
    removable = [use.version for use in uses if use.is_removable]
    if json:
        kept = {use.version: use.kept_because for use in uses if not use.is_removable}
        print_json({"model": name, "removable": removable, "kept": kept, "removed": removable if yes else []})
    else:
        print_table(
            ["version", "kept because"],
            ([f"{name}@{use.version}", use.kept_because or ("removed" if yes else "can be removed")] for use in uses),
        )
    if yes:
        for version in removable:
            registry.remove(name, version, with_aliases=False)
        say(f"Removed {counted(len(removable), 'version')} from {place}.")
    elif removable:
        say(f"{counted(len(removable), 'version')} of {place} can be removed: add --yes.")
    else:
        say("No version can be removed.")


def _needed(name: str, data: Path | None, *, registry_is_named: bool) -> Mapping[str, int]:
    """Returns version → number of jobs that need it.

    Raises:
        RowcastError: nothing says which service uses the registry.
    """
    from rowcast.cli.operation.service_settings import find_service
    from rowcast.jobs.progress.versions_in_use import versions_in_use
    from rowcast.jobs.records.redis_client import connect
    from rowcast.local.embedded_redis import has_records, redis_of_stopped_service

    found = find_service(data)
    with ExitStack() as stack:
        url = found.settings.redis_url
        if found.is_default:
            if found.location is None or not has_records(found.location.folder):
                if registry_is_named:
                    raise RowcastError(
                        "Nothing says which service uses this registry, so its jobs are not known. Name its Redis with "
                        "ROWCAST_REDIS_URL or its folder with --data, or add --no-service if there is none."
                    )
                return {}
            say("The service does not run; its Redis server is started for a moment.")
            url = stack.enter_context(redis_of_stopped_service(found.location.folder))
        redis = stack.enter_context(closing(connect(url, timeout_seconds=30)))
        counts: Counter[str] = versions_in_use(redis)
    return {known.partition("@")[2]: jobs for known, jobs in counts.items() if known.partition("@")[0] == name}
