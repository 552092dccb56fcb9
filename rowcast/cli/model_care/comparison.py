"""The command `models compare`: two versions side by side, and what they predict for the same rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.input_files import require_files
from rowcast.cli.model_care.file_comparison import FileComparison, compare_on_file
from rowcast.cli.output import print_json, say
from rowcast.cli.registry_location import RegistryLocation, open_registry

if TYPE_CHECKING:
    from rowcast.models.version_comparison import VersionComparison
    from training.golden_comparison import GoldenComparison


def add_to(models: typer.Typer) -> None:
    """Adds the command."""
    models.command()(compare)


def compare(
    first: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@VERSION or NAME@ALIAS.")],
    second: Annotated[str, typer.Argument(metavar="OTHER", help="The version to compare with it.")],
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="CSV file that the running service scores with both.")
    ] = None,
    golden: Annotated[
        bool,
        typer.Option("--golden/--no-golden", help="Whether both predict each other's golden sample, on this machine."),
    ] = True,
    where: RegistryLocation = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Compare two versions: features, metrics, libraries, and predictions for the same rows.

    For the golden samples, both models are opened here, which runs their code.

    Examples:
        rowcast models compare titanic@1 titanic@2
        rowcast models compare titanic@production titanic@latest --file in.csv --json
    """
    from rowcast.models.version_comparison import compare as compare_manifests

    require_files(*([file] if file else []))
    registry, _ = open_registry(where, data)
    manifests = registry.resolve(first), registry.resolve(second)
    found = compare_manifests(*manifests)
    on_golden: list[GoldenComparison] = []
    if golden:
        from rowcast.settings import Settings
        from training.golden_comparison import compare_on_golden

        on_golden = compare_on_golden(registry, *manifests, Settings.read().model_versions)
    on_file = None
    if file:
        with client(url, api_key, data) as service:
            on_file = compare_on_file(service, file, *found["versions"])
    if json:
        print_json({**found, "golden": on_golden, "file": on_file.as_json() if on_file else None})
    else:
        _show(found, on_golden, on_file)


def _show(found: "VersionComparison", golden: Sequence["GoldenComparison"], file: FileComparison | None) -> None:
    """Prints what was found as lines of three cells: what it is, and its value in each version."""
    features = found["features"]
    lines: list[tuple[str, Any, Any]] = [("", found["versions"][0], found["versions"][1])]
    lines += [(f"metric {one['name']}", _figure(one["before"]), _figure(one["after"])) for one in found["metrics"]]
    lines += [(f"feature {name}", "", "added") for name in features["added"]]
    lines += [(f"feature {name}", "removed", "") for name in features["removed"]]
    lines += [(f"feature {one['name']}", one["before"], one["after"]) for one in features["changed"]]
    lines += [(one["name"], _cell(one["before"]), _cell(one["after"])) for one in found["other"]]
    differing = [one for one in found["libraries"] if one["before"] != one["after"]]
    lines += [(f"library {one['name']}", one["before"] or "", one["after"] or "") for one in differing]
    widths = [max(len(str(line[column])) for line in lines) for column in range(2)]
    for name, before, after in lines:
        print(f"{name:<{widths[0]}}  {before:<{widths[1]}}  {after}".rstrip())
    if not (features["added"] or features["removed"] or features["changed"]):
        say(
            "Both have the same features."
            if features["same_order"]
            else "Both have the same features, in another order."
        )
    for one in golden:
        say(_on_golden(one))
    if file:
        say(str(file))


def _on_golden(found: "GoldenComparison") -> str:
    sample = f"Golden sample of {found['rows_of']}"
    if found["differing"] is None:
        return f"{sample}: not compared: {found['reason']}."
    return f"{sample}: {found['differing']} of {found['rows']} rows differ."


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
