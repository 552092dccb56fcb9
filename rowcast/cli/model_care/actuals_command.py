"""The command `models actuals`: sends what became true, and shows how good the predictions were over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.input_files import require_files
from rowcast.cli.output import print_json, print_table, say
from rowcast.wording.quantity import counted


def add_to(models: typer.Typer) -> None:
    """Adds the command."""
    models.command("actuals")(send)


def send(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="CSV of key and truth; without it, only shows.")
    ] = None,
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Columns of the key: a,b.", show_default="the option key of the newest job"),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option("--truth", help="Column with what became true.", show_default="the model's target"),
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Only jobs that were made then or later.")] = "",
    until: Annotated[str, typer.Option("--until", help="Only jobs that were made before.")] = "",
    delimiter: Annotated[str, typer.Option("--delimiter", help="What separates the fields.")] = ",",
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Join a CSV of what became true with past results, and show how good the predictions were by day and version.

    The results must have the key: send files with --key, or with all of their columns (the default).

    Examples:
        rowcast models actuals titanic survived.csv --key id --truth survived
        rowcast models actuals titanic
    """
    with client(url, api_key, data) as service:
        if file is None:
            days = service.actuals(name)
            if json:
                print_json({"model": name, "days": days})
                return
        else:
            require_files(file)
            given = {"since": since, "until": until, "delimiter": delimiter}
            more = {option: value for option, value in given.items() if value}
            report = service.send_actuals(name, file, key=key, truth=truth, **more)
            if json:
                print_json(report)
                return
            say(_in_words(report))
            days = report["days"]
    _print(days)


def _in_words(report: Mapping[str, Any]) -> str:
    """Returns how many rows found a prediction, and which were left out."""
    left_out = {
        "without a prediction": report["unmatched"],
        "without a truth": report["without_truth"],
        "whose key a later row has": report["repeated_keys"],
    }
    others = "".join(f", {count:,} {what}" for what, count in left_out.items() if count)
    older = report["older_predictions"]
    newest = f" {counted(older, 'older prediction')} of the same keys left out." if older else ""
    joined = f"{report['matched']:,} of {counted(report['rows'], 'row')} joined with {counted(report['jobs'], 'job')}"
    in_part = f" {counted(report['jobs_in_part'], 'job')} only in part: the files went meanwhile." * bool(
        report.get("jobs_in_part")
    )
    return f"{joined}{others}.{in_part}{newest}"


def _print(days: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for one in days for name in one["metrics"]))
    values = ([one["metrics"].get(name) for name in names] for one in days)
    print_table(
        ["day", "version", "rows", *names],
        (
            [one["day"], one["version"], f"{one['rows']:,}", *("" if it is None else f"{it:.4g}" for it in found)]
            for one, found in zip(days, values, strict=True)
        ),
    )
