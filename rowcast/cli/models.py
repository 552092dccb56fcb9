"""The commands for models: they work on the registry itself, beside a service that runs or without one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rowcast.cli.bars import rehearsal_bar
from rowcast.cli.connection import Json
from rowcast.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from rowcast.models.manifest import Manifest
    from rowcast.models.registry import Registry

models = typer.Typer(help="See and register models.", no_args_is_help=True)

Where = Annotated[
    str | None,
    typer.Option("--models", help="The registry: a folder or a bucket.", envvar="ROWCAST_MODELS", show_default=False),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="The --data of `rowcast up`; the registry is its folder `models`.", show_default=".rowcast"
    ),
]


_CODE = (
    "A module (mytransforms.py) or the folder of a package that the model's classes come from. It is stored with this "
    "version and used for it only. Repeatable."
)
_KINDS = "number, integer, text, boolean, date or category"
_ESTIMATORS = "hist_gradient_boosting, random_forest or logistic_regression; with _classifier or _regressor to insist."


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (show, add, alias):
        models.command()(command)
    models.command("list")(list_models)
    app.add_typer(models, name="models")
    app.command()(train)


def list_models(where: Where = None, data: Data = None, json: Json = False) -> None:
    """List the models, their versions and aliases."""
    registry = _registry(where, data)
    found = [(name, registry.versions(name), registry.aliases(name)) for name in registry.names()]
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
    manifest = _registry(where, data).resolve(reference)
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
    from training.add import add as add_model

    with rehearsal_bar() as progress:
        manifest = add_model(
            file,
            name,
            _registry(where, data),
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
    print(f"{manifest.name}@{manifest.version}")


def _listed(names: str | None) -> list[str]:
    return [name for name in (names or "").split(",") if name]


def _kinds(given: list[str]) -> dict[str, Any]:
    """`NAME=KIND` each; which kinds there are, `training.add` knows."""
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
    _registry(where, data).set_alias(name, alias, version)
    say(f"{name}@{alias} is version {version} now.")


def train(
    *,
    data: Annotated[Path, typer.Option("--data", help="A CSV file (.gz too).")],
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    name: Annotated[str, typer.Option("--name", help="The model's name.")],
    features: Annotated[str | None, typer.Option("--features", help="Columns to use: a,b.", show_default="all")] = None,
    estimator: Annotated[str, typer.Option("--estimator", help=_ESTIMATORS)] = "hist_gradient_boosting",
    alias: Annotated[list[str] | None, typer.Option("--alias", help="An alias to move; may be repeated.")] = None,
    where: Where = None,
    data_dir: Data = None,
) -> None:
    """Fit a model to a CSV file, measure it on held-out rows, and register it as the next version."""
    from training.train import train as train_model

    manifest = train_model(
        data,
        target,
        name,
        _registry(where, data_dir),
        features=[column for column in features.split(",") if column] if features else None,
        estimator=estimator,
        aliases=alias or (),
        say=say,
    )
    print(f"{manifest.name}@{manifest.version}")


def _registry(where: str | None, data: Path | None) -> "Registry":
    from rowcast.models.registry import Registry
    from rowcast.settings import Settings
    from rowcast.storage import Storage

    settings = Settings.read()
    location = str(data / "models") if data else where or settings.models
    return Registry(Storage(location), settings.model_key)
