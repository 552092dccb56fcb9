"""The commands `models promote` and `models rollback`: a version goes into production after a check, and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.input_files import require_files
from rowcast.cli.model_care.file_comparison import FileComparison, compare_on_file
from rowcast.cli.output import print_json, say
from rowcast.cli.registry_location import RegistryLocation, open_registry
from rowcast.errors import UnknownModel

if TYPE_CHECKING:
    from rowcast.client import Client

_DONE, _REFUSED = 0, 1


def add_to(models: typer.Typer) -> None:
    """Adds the commands."""
    models.command()(promote)
    models.command()(rollback)


def promote(
    reference: Annotated[str, typer.Argument(metavar="MODEL", help="The version: NAME@VERSION or NAME@ALIAS.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="ALIAS", help="The alias to move.")] = "production",
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE.csv", help="File that both versions score, to compare them."),
    ] = None,
    max_disagreement: Annotated[
        float,
        typer.Option("--max-disagreement", min=0, max=1, help="Largest share of rows that may differ, as 0.02."),
    ] = 0.0,
    min_metric: Annotated[
        list[str] | None,
        typer.Option("--min-metric", metavar="NAME=VALUE", help="Smallest value of a metric. Repeatable."),
    ] = None,
    max_metric: Annotated[
        list[str] | None,
        typer.Option("--max-metric", metavar="NAME=VALUE", help="Largest value of a metric, as mae=3. Repeatable."),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> int:
    """Point an alias at a version if a check passes: compared with the version that it names now.

    The running service scores the file with both versions, and moves the alias only if it still names the version that
    was compared. Otherwise the exit code is 1. With API keys, needs the scope `models` and the scope `predict`.

    Examples:
        rowcast models promote titanic@3 --check in.csv --max-disagreement 0.02
        rowcast models promote titanic@3 --to production --check in.csv --min-metric accuracy=0.8
    """
    bounds = [_Bound.read(text, "--min-metric") for text in min_metric or []]
    bounds += [_Bound.read(text, "--max-metric") for text in max_metric or []]
    if not check and not bounds:
        raise typer.BadParameter("give a file with --check, or a bound with --min-metric or --max-metric")
    require_files(*([check] if check else []))
    with client(url, api_key, data) as service:
        found = _find(service, reference, to)
        found.reasons += [fault for bound in bounds if (fault := bound.fault(found.metrics))]
        if check:
            _compare(service, found, check, max_disagreement)
        if not found.reasons and found.current != found.version:
            _move(service, found)
    _show(found, as_json=json)
    return _REFUSED if found.reasons else _DONE


def rollback(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    *,
    alias: Annotated[str, typer.Option("--alias", help="The alias to move back.")] = "production",
    where: RegistryLocation = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Point an alias at the version that it named before. New jobs use it at once; running jobs keep theirs.

    Rolling back twice goes further back. With --url (or ROWCAST_URL) and no registry named, the service moves the
    alias; otherwise this command does, in the registry.

    Examples:
        rowcast models rollback titanic
        rowcast models rollback titanic --alias staging
    """
    model, is_reference, named = name.partition("@")
    if is_reference:
        raise typer.BadParameter(
            f"give only the name of the model, and its alias with --alias: {model} --alias {named}"
        )
    if url and not where and not data:
        with client(url, api_key, data) as service:
            place = service.alias(name, alias)
            before, version = place["version"], place["earlier"]
            if version is None:
                raise UnknownModel(f"No version is known that {name}@{alias} named before version {before}.")
            service.set_alias(name, alias, version, expected=before)
            location = service.url
    else:
        registry, location = open_registry(where, data)
        before, version = registry.rollback(name, alias)
    say(f"{name}@{alias} is now version {version}; it was version {before}, in {location}.")


@dataclass(frozen=True)
class _Bound:
    """A bound of a metric."""

    #: Name of the metric.
    name: str
    #: The bound itself.
    value: float
    #: Whether the metric must not be lower; otherwise it must not be higher.
    is_lowest: bool

    @classmethod
    def read(cls, text: str, option: str) -> "_Bound":
        name, _, value = text.rpartition("=")
        try:
            return cls(name, float(value), option == "--min-metric")
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE, as accuracy=0.8", param_hint=option) from None

    def fault(self, metrics: Mapping[str, float]) -> str | None:
        """Returns why a version with these metrics does not pass, or None."""
        value = metrics.get(self.name)
        if value is None:
            return f"it has no metric {self.name!r}, only {', '.join(metrics) or 'none'}"
        if value < self.value if self.is_lowest else value > self.value:
            return f"its {self.name} is {value:.4g}, {'below' if self.is_lowest else 'above'} {self.value:g}"
        return None


@dataclass
class _Promotion:
    """What was found out about a version that is to go into production."""

    name: str
    alias: str
    #: The version that the alias named at the beginning; None if the alias does not exist.
    current: str | None
    #: The version to promote.
    version: str
    #: Its metrics.
    metrics: Mapping[str, float]
    #: Both versions on the file, if one was given.
    comparison: FileComparison | None = None
    #: Why the alias was not moved.
    reasons: list[str] = field(default_factory=list)


def _find(service: "Client", reference: str, alias: str) -> _Promotion:
    """Returns the version, and the one that the alias names now."""
    from rowcast.client import NotFound

    manifest = service.manifest(reference)
    try:
        current = str(service.alias(manifest["name"], alias)["version"])
    except NotFound:
        current = None
    return _Promotion(manifest["name"], alias, current, manifest["version"], manifest.get("metrics") or {})


def _compare(service: "Client", found: _Promotion, file: Path, max_disagreement: float) -> None:
    """Compares the version with the present one on the file, and adds the reasons against a promotion."""
    from rowcast.client import JobFailed, Unprocessable

    if found.current is None:
        found.reasons.append(f"{found.name}@{found.alias} does not exist, so there is no version to compare with")
    if found.current in (None, found.version):
        return
    try:
        compared = compare_on_file(service, file, f"{found.name}@{found.current}", f"{found.name}@{found.version}")
    except (Unprocessable, JobFailed) as error:
        found.reasons.append(f"the file could not be scored by both versions: {error}")
        return
    found.comparison = compared
    if compared.fraction is None:
        found.reasons.append("no row of the file could be compared")
    elif compared.fraction > max_disagreement:
        found.reasons.append(f"{compared.fraction:.2%} of the rows differ, more than {max_disagreement:.2%}")


def _move(service: "Client", found: _Promotion) -> None:
    """Moves the alias, if it still names the version that was compared."""
    from rowcast.client import AliasMoved

    try:
        service.set_alias(found.name, found.alias, found.version, expected=found.current)
    except AliasMoved as error:
        found.reasons.append(error.detail)


def _show(found: _Promotion, *, as_json: bool) -> None:
    """Prints what was compared, and whether the alias was moved."""
    if as_json:
        comparison = found.comparison.as_json() if found.comparison else None
        print_json({**asdict(found), "comparison": comparison, "promoted": not found.reasons})
        return
    place, version = f"{found.name}@{found.alias}", f"{found.name}@{found.version}"
    if found.metrics:
        say(f"Metrics of {version}: {', '.join(f'{name} {value:.4g}' for name, value in found.metrics.items())}.")
    if found.comparison:
        say(f"{found.name}@{found.current} and {version} on {found.comparison}")
    if found.reasons:
        say(f"{place} was not moved to version {found.version}:")
        for reason in found.reasons:
            say(f"  - {reason}")
    elif found.current == found.version:
        say(f"{place} is version {found.version} already.")
    else:
        say(f"{place} is now version {found.version}{f'; it was version {found.current}' if found.current else ''}.")
