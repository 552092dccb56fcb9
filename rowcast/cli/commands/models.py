"""The commands for models. They work on the registry, whether or not a service is running."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.commands.model_options import (
    Classes,
    CodeFiles,
    DayFirst,
    Decimal,
    DefaultNa,
    Description,
    FeatureColumns,
    FeaturesFrom,
    Kinds,
    ModelName,
    ModelSource,
    NaValues,
    ParseDates,
    TargetColumn,
    Threshold,
    kinds_by_column,
    listed,
)
from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data
from rowcast.cli.input_files import require_files
from rowcast.cli.model_care import actuals_command, comparison, model_training, promotion, pruning, shadows
from rowcast.cli.model_care.registered import compiled_code, say_registered
from rowcast.cli.model_facts import facts
from rowcast.cli.output import print_json, print_table, say
from rowcast.cli.progress_bars import rehearsal_bar
from rowcast.cli.registry_location import RegistryLocation, open_registry
from rowcast.cli.typer_app import App
from rowcast.compiled_cache import cache_folder
from rowcast.errors import RowcastError

models = App(help="Register, show and remove models.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (show, add, alias, rm):
        models.command()(command)
    models.command("list")(list_models)
    for care in (comparison, promotion, shadows, actuals_command, pruning):
        care.add_to(models)
    app.add_typer(models, name="models")
    model_training.add_to(app)


def list_models(where: RegistryLocation = None, data: Data = None, json: Json = False) -> None:
    """List the models with their versions and aliases.

    Examples:
        rowcast models list
    """
    registry, place = open_registry(where, data)
    found = [(name, registry.versions(name), registry.aliases(name)) for name in registry.names()]
    if not where and not data:
        say(f"Models in {place}:" if found else f"No models in {place}.")
    if json:
        print_json([{"name": name, "versions": versions, "aliases": aliases} for name, versions, aliases in found])
        return
    print_table(
        ["model", "versions", "aliases"],
        (
            [name, " ".join(versions), " ".join(f"{alias}={version}" for alias, version in sorted(aliases.items()))]
            for name, versions, aliases in found
        ),
    )


def show(
    reference: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@VERSION or NAME@ALIAS.")],
    where: RegistryLocation = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what is known about a model version: its card.

    Examples:
        rowcast models show titanic
        rowcast models show titanic@production --json
    """
    registry, _ = open_registry(where, data)
    manifest = registry.resolve(reference)
    aliases = registry.aliases_of(manifest)
    shadowing = shadows.shadows_of(registry, manifest, data)
    if json:
        print_json({**manifest.model_dump(mode="json"), "aliases": aliases, "shadows": shadowing})
        return
    for name, value in (facts(manifest, aliases) | shadows.in_words(shadowing)).items():
        print(f"{name + ':':<10} {value}")
    print_table(
        ["feature", "kind", "missing"],
        ([one.name, one.kind, "may be missing" if one.missing else "required"] for one in manifest.features),
    )


def add(
    file: ModelSource,
    *,
    name: ModelName,
    features_from: FeaturesFrom = None,
    target: TargetColumn = None,
    features: FeatureColumns = None,
    kind: Kinds = None,
    na_values: NaValues = None,
    default_na: DefaultNa = True,
    parse_dates: ParseDates = None,
    dayfirst: DayFirst = False,
    decimal: Decimal = ".",
    threshold: Threshold = None,
    classes: Classes = None,
    code: CodeFiles = None,
    description: Description = None,
    where: RegistryLocation = None,
    data: Data = None,
) -> None:
    """Register a trained model, from a file or from MLflow. A rehearsal scores the sample first.

    Examples:
        rowcast models add model.pkl --name mine --features-from data.csv
        rowcast models add model.pkl --name mine --features-from data.csv --kind zip=text --code mytransforms.py
        rowcast models add mlflow:models:/churn@champion --name churn --features-from data.csv
    """
    is_on_server = file.startswith("mlflow:")
    require_files(*([] if is_on_server else [Path(file)]), *([features_from] if features_from else []))
    from rowcast.settings import Settings
    from training.add_model import add as add_model
    from training.add_options import AddOptions

    registry, place = open_registry(where, data)
    options = AddOptions(
        target=target,
        features=listed(features) or None,
        kinds=kinds_by_column(kind or []),
        na_values=listed(na_values),
        keep_default_na=default_na,
        parse_dates=listed(parse_dates),
        dayfirst=dayfirst,
        decimal=decimal,
        code=code or (),
        threshold=threshold,
        classes=listed(classes),
        description=description,
        versions=Settings.read().model_versions,
    )
    with cache_folder(compiled_code(where, data)), rehearsal_bar() as progress:
        manifest = add_model(
            file if is_on_server else Path(file), name, registry, features_from, options, say=say, progress=progress
        )
    say_registered(manifest, place)


def alias(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="Alias, for example production.")],
    version: Annotated[str, typer.Argument(metavar="VERSION")],
    where: RegistryLocation = None,
    data: Data = None,
) -> None:
    """Point an alias at a version. New jobs use that version at once; running jobs keep theirs.

    Examples:
        rowcast models alias titanic production 2
    """
    registry, place = open_registry(where, data)
    registry.set_alias(name, alias, version)
    say(f"{name}@{alias} is now version {version}, in {place}.")


def rm(
    reference: Annotated[str, typer.Argument(metavar="MODEL", help="NAME@VERSION, or NAME for all versions.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also remove aliases that point at it."),
    ] = False,
    where: RegistryLocation = None,
    data: Data = None,
) -> None:
    """Remove a version of a model, or the whole model. Version numbers are not used again.

    Examples:
        rowcast models rm titanic@1
        rowcast models rm titanic
    """
    registry, place = open_registry(where, data)
    name, at, _ = reference.partition("@")
    version = registry.resolve(reference).version
    versions = [version] if at else registry.versions(name)
    shown = ", ".join(f"{name}@{one}" for one in versions)
    aliases = [alias for alias, meant in registry.aliases(name).items() if meant in versions and alias != "latest"]
    shadowed = shadows.shadowed_by_versions(registry, name, versions)
    if shadowed and not force:
        raise RowcastError(f"{shown} is the shadow of {', '.join(shadowed)}. Remove the shadow first, or add --force.")
    if aliases and not force:
        raise RowcastError(
            f"{shown} is what {name}@{f', {name}@'.join(aliases)} points at. Move the alias first, or add --force."
        )
    if not yes:
        say(f"Running jobs that use {shown} will fail, unless a worker has already loaded the model.")
        if not sys.stdin.isatty():
            raise RowcastError("Standard input is not a terminal. Add --yes to remove without confirmation.")
        if not typer.confirm(f"Remove {shown} from {place}?", err=True):
            say("Nothing was removed.")
            return
    shadows.drop(registry, shadowed)
    for one in versions:
        registry.remove(name, one)
    say(f"Removed {shown} from {place}.")
