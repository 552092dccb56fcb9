"""The command that trains a model."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.commands.model_options import Description, ModelName
from rowcast.cli.input_files import require_files
from rowcast.cli.model_care.registered import compiled_code, say_registered
from rowcast.cli.output import say
from rowcast.cli.progress_bars import rehearsal_bar
from rowcast.cli.registry_location import RegistryLocation, open_registry
from rowcast.compiled_cache import cache_folder
from rowcast.models.estimator_names import DEFAULT_FAMILY, FAMILIES, SUFFIXES

_ESTIMATORS = (
    f"{', '.join(FAMILIES[:-1])} or {FAMILIES[-1]}. The target decides the task, unless the name ends with "
    f"{' or '.join(SUFFIXES.values())}."
)

Search = Annotated[
    bool,
    typer.Option(
        "--search", help="Try parameters of the estimator, or of all, by successive halving, and take the best."
    ),
]
ClassWeight = Annotated[
    str | None,
    typer.Option(
        "--class-weight",
        metavar="balanced",
        help="balanced: rare classes count as much as frequent ones.",
        show_default="each row counts the same",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="Column with each row's date or number in time: the newest fifth is held out. "
        "It is not a feature, unless --features names it.",
        show_default="a random fifth is held out",
    ),
]
CrossValidate = Annotated[
    int | None,
    typer.Option(
        "--cross-validate",
        metavar="FOLDS",
        help="Number of folds, 2 to 20: adds metrics with intervals.",
        show_default="none",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Write metrics, warnings and plots of the held-out rows into an HTML file.",
        show_default="none",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(train)


def train(
    *,
    data: Annotated[Path, typer.Option("--data", help="CSV file with the target column; .gz too.")],
    target: Annotated[str, typer.Option("--target", help="Column to predict.")],
    name: ModelName,
    features: Annotated[str | None, typer.Option("--features", help="Columns to use: a,b.", show_default="all")] = None,
    estimator: Annotated[
        str | None, typer.Option("--estimator", help=_ESTIMATORS, show_default=f"{DEFAULT_FAMILY}; with --search, all")
    ] = None,
    search: Search = False,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="Alias for the new version. Repeatable.")] = None,
    description: Description = None,
    class_weight: ClassWeight = None,
    time: Time = None,
    cross_validate: CrossValidate = None,
    report: Report = None,
    where: RegistryLocation = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            help="Data folder of a `rowcast up` (here --data is the CSV file).",
            show_default="that of the running service, or .rowcast",
        ),
    ] = None,
) -> None:
    """Fit a model to a CSV file, measure it on held-out rows, and register it as the next version of NAME.

    Examples:
        rowcast train --data data.csv --target bought --name buyers
        rowcast train --data data.csv --target price --name prices --estimator random_forest_regressor
        rowcast train --data data.csv --target bought --name buyers --search --time day
    """
    require_files(data)
    from training.rehearsal.rehearsal import no_progress
    from training.train import train as train_model
    from training.train_options import TrainOptions

    registry, place = open_registry(where, data_dir, "--data-dir")
    options = TrainOptions(
        class_weight=class_weight, time=time, cross_validate=cross_validate, search=search, report=report
    )
    bar = rehearsal_bar("Searching") if search else nullcontext(no_progress)
    with cache_folder(compiled_code(where, data_dir, "--data-dir")), bar as progress:
        manifest = train_model(
            data,
            target,
            name,
            registry,
            features=[column for column in features.split(",") if column] if features else None,
            estimator=estimator,
            aliases=alias or (),
            description=description,
            options=options,
            progress=progress,
            say=say,
        )
    say_registered(manifest, place, alias or ())
