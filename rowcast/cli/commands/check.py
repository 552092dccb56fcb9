"""The command that checks a file before it is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rowcast.cli.commands.predict_options import takes_predict_options
from rowcast.cli.commands.url_jobs import is_url
from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.option_names import as_written, in_words_of_commands
from rowcast.cli.output import models_in, print_json
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Check
    from rowcast.client.csv_options import CsvOptions

_LISTED = 10
_FORMATS = {"parquet": "Parquet file", "xlsx": "Excel workbook, first sheet"}


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(check)


@takes_predict_options
def check(
    source: Annotated[
        str, typer.Argument(metavar="IN.csv", help="File to check: .csv, .csv.gz, .parquet or .xlsx. Or a URL.")
    ],
    *,
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check a file before you send it: its columns, its cells, and the predictions of its first rows.

    The exit code is 0 if the file fits, otherwise 1.

    Examples:
        rowcast check in.csv
        rowcast check in.csv --model titanic@production --delimiter ";" --decimal ,
        rowcast check in.xlsx
        rowcast check 's3://data/in/*.csv'
    """
    with client(url, api_key, data) as service:
        found = service.check_url(source, **options) if is_url(source) else service.check(source, **options)
    if json:
        print_json(found.raw)
    else:
        for line in lines(source, found):
            print(line)
    if not found.ok:
        raise typer.Exit(1)


def lines(source: str, found: "Check") -> list[str]:
    """Returns what a check found out, line by line."""
    model = " and ".join(f"{one['name']}@{one['version']}" for one in models_in(found.raw))
    verdict = "fits" if found.ok else "does not fit" if found.problem or found.bad_rows else "could not be tried with"
    told = [f"{source} {verdict} {model}{', but has bad rows' if found.ok and found.bad_rows else ''}."]
    told.append(_row("file", f"{_size(found.expected)}, {_form(found)}"))
    told += [_row("problem", in_words_of_commands(found.problem["detail"]))] if found.problem else []
    told += [_row("missing", _missing(column)) for column in found.columns["missing"][:_LISTED]]
    told.append(_row("used", _names(found.columns["matched"])))
    told += [_row("carried", _names(found.columns["carried"]))] if found.columns["carried"] else []
    told += [
        _row("does not fit", f"{one['name']}: the model takes {one['kind']}, the cells are {one['seen']}")
        for one in found.types
        if not one["fits"] and one["kind"] != one["seen"]
    ][:_LISTED]
    told += [_row("bad row", f"{one['row']}{_cell(one)}: {one['message']}") for one in found.bad_rows[:_LISTED]]
    told += [_row(f"row {one['row']}", f"prediction {_prediction(one['prediction'])}") for one in found.sample]
    told += [_row("warning", one["message"]) for one in found.warnings]
    told += [_row("fix", f"{one['message']} Try {as_written(one['option'], one['value'])}") for one in found.fixes]
    return told


def _row(label: str, text: str) -> str:
    return f"  {label:<13} {text}"


def _prediction(value: Any) -> str:
    """Returns the prediction of a row, for example `0`, or `titanic 0, other 1` of two models."""
    return ", ".join(f"{model} {one}" for model, one in value.items()) if isinstance(value, dict) else str(value)


def _size(expected: dict[str, Any]) -> str:
    rows, seconds = expected["rows"], expected["seconds"]
    known = "number of rows unknown" if rows is None else f"about {counted(rows, 'row')}"
    return known if seconds is None else f"{known}, about {seconds:g} s"


def _form(found: "Check") -> str:
    """Returns how the file is written, for example `delimiter ',', utf-8`."""
    if found.format in _FORMATS:
        return _FORMATS[found.format]
    delimiter = "tab" if found.delimiter == "\t" else found.delimiter
    return f"delimiter {delimiter!r}, {found.encoding or 'encoding unknown'}"


def _missing(column: dict[str, Any]) -> str:
    nearest = f" (the nearest is {column['nearest']})" if column["nearest"] else ""
    return f"{column['name']}{nearest}"


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return shown + (f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else "") or "none"


def _cell(row: dict[str, Any]) -> str:
    return f", {row['column']} = {row['value']!r}" if row["column"] else ""
