"""The commands for models: they work on the registry itself, beside a service that runs or without one."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data, find_place
from rowcast.cli.output import say, show_json, show_table
from rowcast.cli.progress_bars import rehearsal_bar
from rowcast.errors import RowcastError
from training.fitting.estimator_names import DEFAULT_FAMILY, FAMILIES, SUFFIXES

if TYPE_CHECKING:
    from rowcast.models.model_manifest import Manifest
    from rowcast.models.registry import Registry

models = typer.Typer(help="See and register models.", no_args_is_help=True)

Where = Annotated[
    str | None,
    typer.Option("--models", help="The registry: a folder or a bucket.", envvar="ROWCAST_MODELS", show_default=False),
]
_CODE = (
    "A module (mytransforms.py) or the folder of a package that the model's classes come from. It is stored with this "
    "version and used for it only. Repeatable."
)
_KINDS = "number, integer, text, boolean, date or category"
_ESTIMATORS = (
    f"{', '.join(FAMILIES[:-1])} or {FAMILIES[-1]}. The target decides the task, unless the name ends with "
    f"{' or '.join(SUFFIXES.values())}."
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (show, add, alias, rm):
        models.command()(command)
    models.command("list")(list_models)
    app.add_typer(models, name="models")
    app.command()(train)


def list_models(where: Where = None, data: Data = None, json: Json = False) -> None:
    """List the models, their versions and aliases."""
    registry, place = _registry(where, data)
    found = [(name, registry.versions(name), registry.aliases(name)) for name in registry.names()]
    if not where and not data:
        say(f"Models in {place}:" if found else f"There are no models in {place}.")
    if json:
        show_json([{"name": name, "versions": versions, "aliases": aliases} for name, versions, aliases in found])
        return
    show_table(
        ["model", "versions", "aliases"],
        (
            [name, " ".join(versions), " ".join(f"{alias}={version}" for alias, version in sorted(aliases.items()))]
            for name, versions, aliases in found
        ),
    )


def show(
    reference: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@VERSION or NAME@ALIAS.")],
    where: Where = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one version: its features, task, classes and metrics."""
    registry, _ = _registry(where, data)
    manifest = registry.resolve(reference)
    if json:
        show_json(manifest.model_dump(mode="json"))
        return
    facts = {
        "model": f"{manifest.name}@{manifest.version}",
        "task": manifest.task,
        "classes": None if manifest.classes is None else ", ".join(map(str, manifest.classes)),
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in manifest.metrics.items()) or None,
        "needs": ", ".join(_needs(manifest)) or None,
        "code": ", ".join(one.path for one in manifest.code) or None,
        "created": manifest.created_at,
        "sha256": manifest.sha256,
    }
    for name, value in facts.items():
        if value is not None:
            print(f"{name + ':':<10} {value}")
    show_table(
        ["feature", "kind", "missing"],
        ([one.name, one.kind, "may be missing" if one.missing else "required"] for one in manifest.features),
    )


def _needs(manifest: "Manifest") -> list[str]:
    """The packages that the model imports, with their versions."""
    return [
        f"{one.distribution or module}{f' {one.version}' if one.version else ''}{' (optional)' if one.optional else ''}"
        for module, one in manifest.requires.items()
    ]


def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A pickle or joblib file. Its code is run: add only files you trust.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="The model's name.")],
    features_from: Annotated[
        Path, typer.Option("--features-from", help="A sample: a CSV of what will be sent, with the model's columns.")
    ],
    target: Annotated[
        str | None, typer.Option("--target", help="The sample's column with the truth, to measure the model on.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", help="The model's columns, in its order: a,b.", show_default="its own, or all"),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="NAME=KIND", help=f"A column's type, for example zip=text; {_KINDS}. Repeatable."
        ),
    ] = None,
    na_values: Annotated[
        str | None, typer.Option("--na-values", help="Further cells that mean missing, for example '-,?'.")
    ] = None,
    default_na: Annotated[
        bool,
        typer.Option("--default-na/--no-default-na", help="Whether NA, null and so on mean missing, as in pandas."),
    ] = True,
    parse_dates: Annotated[str | None, typer.Option("--parse-dates", help="Columns that are dates: a,b.")] = None,
    decimal: Annotated[str, typer.Option("--decimal", help="The decimal mark of the sample: . or ,")] = ".",
    code: Annotated[list[Path] | None, typer.Option("--code", metavar="PATH", help=_CODE, show_default=False)] = None,
    where: Where = None,
    data: Data = None,
) -> None:
    """Register a trained model (pickle, joblib, cloudpickle), after a rehearsal with a sample of what will be sent."""
    from rowcast.settings import Settings
    from training.add_model import add as add_model

    registry, place = _registry(where, data)
    with rehearsal_bar() as progress:
        manifest = add_model(
            file,
            name,
            registry,
            features_from,
            target=target,
            features=_listed(features) or None,
            kinds=_kinds(kind or []),
            na_values=_listed(na_values),
            keep_default_na=default_na,
            parse_dates=_listed(parse_dates),
            decimal=decimal,
            code=code or (),
            versions=Settings.read().model_versions,
            say=say,
            progress=progress,
        )
    _say_registered(manifest, place)


def _listed(names: str | None) -> list[str]:
    return [name for name in (names or "").split(",") if name]


def _kinds(given: list[str]) -> dict[str, Any]:
    """`NAME=KIND` each; which kinds there are, `training.add_model` knows."""
    for one in given:
        if "=" not in one:
            raise typer.BadParameter(f"{one!r} is not NAME=KIND, for example zip=text", param_hint="--kind")
    return dict(one.rsplit("=", 1) for one in given)


def alias(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="production, say.")],
    version: Annotated[str, typer.Argument(metavar="VERSION")],
    where: Where = None,
    data: Data = None,
) -> None:
    """Point an alias at a version: new jobs use it at once, running ones keep theirs."""
    registry, place = _registry(where, data)
    registry.set_alias(name, alias, version)
    say(f"{name}@{alias} is version {version} now, in {place}.")


def rm(
    reference: Annotated[
        str, typer.Argument(metavar="MODEL", help="NAME@VERSION, or NAME for all versions of the model.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also if an alias means the version; the alias goes.")] = False,
    where: Where = None,
    data: Data = None,
) -> None:
    """Remove a version of a model, or the whole model. Its number is not used again."""
    registry, place = _registry(where, data)
    name, at, _ = reference.partition("@")
    version = registry.resolve(reference).version
    versions = [version] if at else registry.versions(name)
    shown = ", ".join(f"{name}@{one}" for one in versions)
    aliases = [alias for alias, meant in registry.aliases(name).items() if meant in versions and alias != "latest"]
    if aliases and not force:
        raise RowcastError(
            f"{shown} is what {name}@{f', {name}@'.join(aliases)} means; move the alias first, or add --force."
        )
    if not yes:
        say(f"Jobs that still run with {shown} fail, unless a worker has the model open.")
        if not sys.stdin.isatty():
            raise RowcastError("Add --yes to remove it without being asked.")
        if not typer.confirm(f"Remove {shown} from {place}?", err=True):
            say("Nothing is removed.")
            return
    for one in versions:
        registry.remove(name, one)
    say(f"Removed {shown} from {place}.")


def train(
    *,
    data: Annotated[Path, typer.Option("--data", help="A CSV file (.gz too).")],
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    name: Annotated[str, typer.Option("--name", help="The model's name.")],
    features: Annotated[str | None, typer.Option("--features", help="Columns to use: a,b.", show_default="all")] = None,
    estimator: Annotated[str, typer.Option("--estimator", help=_ESTIMATORS)] = DEFAULT_FAMILY,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="An alias to move; may be repeated.")] = None,
    where: Where = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            help="The data folder of a `rowcast up` (--data is the CSV file here).",
            show_default="that of the service that runs, or .rowcast",
        ),
    ] = None,
) -> None:
    """Fit a model to a CSV file, measure it on held-out rows, and register it as the next version."""
    from training.train import train as train_model

    registry, place = _registry(where, data_dir, "--data-dir")
    manifest = train_model(
        data,
        target,
        name,
        registry,
        features=[column for column in features.split(",") if column] if features else None,
        estimator=estimator,
        aliases=alias or (),
        say=say,
    )
    _say_registered(manifest, place, alias or ())


def _say_registered(manifest: "Manifest", place: str, aliases: Sequence[str] = ()) -> None:
    reference = f"{manifest.name}@{manifest.version}"
    say(f"Registered {', '.join([reference, *(f'{manifest.name}@{alias}' for alias in aliases)])} in {place}.")
    print(reference)


def _registry(where: str | None, data: Path | None, option: str = "--data") -> tuple["Registry", str]:
    """The registry that is meant, and where it is, in words.

    Raises:
        SeveralServices: several services run; `option` chooses one.
    """
    from rowcast.models.registry import Registry
    from rowcast.settings import Settings
    from rowcast.storage import Storage

    settings = Settings.read()
    if where and not data:
        return Registry(Storage(where), settings.model_key), where
    place = find_place(data, option)
    return Registry(Storage(place.models), settings.model_key), place.models_shown
