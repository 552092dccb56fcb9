"""Where a command writes results: standard output, a file, or a folder with a file for each input."""

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from rowcast.client.download_format import ResultFormat

Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output file if it exists.")]

SkipExisting = Annotated[
    bool,
    typer.Option("--skip-existing", help="Leave out files whose result exists, for example after an interruption."),
]

Format = Annotated[
    Literal["csv", "ndjson", "parquet"] | None,
    typer.Option("--format", help="Format of the result.", show_default="that of the file's ending, otherwise csv"),
]

_STDIO = "-"


class BadOutput(RowcastError):
    """The output cannot be written as the command says. The message says what to do."""


def require_free(out: str, *, force: bool) -> None:
    """Checks that a file which exists is overwritten only if the user wants that. Devices and pipes may be written.

    Raises:
        BadOutput: the file exists, and `force` is false.
    """
    if not force and out != _STDIO and Path(out).is_file():
        raise BadOutput(f"{out} exists. Use --force to overwrite it, or another name.")


def result_format(out: str, given: "ResultFormat | None") -> "ResultFormat":
    """Returns the format `given`, or that of the ending of `out`, for example of `out.parquet`.

    Raises:
        BadOutput: the format is binary, and the output is a terminal.
    """
    from rowcast.client.download_format import format_of

    form = format_of(out, given)
    if form == "parquet" and out == _STDIO and sys.stdout.isatty():
        raise BadOutput(
            "A Parquet file is binary, and cannot be shown on a terminal. Write it to a file: -o out.parquet"
        )
    return form


def inputs_of(patterns: Sequence[str]) -> list[str]:
    """Returns the input files. A pattern such as `data/*.csv` stands for the files that match it.

    Shells expand patterns themselves, except for quoted ones, and except on Windows.

    Raises:
        BadOutput: no file matches a pattern.
    """
    found: list[str] = []
    for pattern in patterns:
        is_pattern = pattern != _STDIO and glob.has_magic(pattern) and not Path(pattern).exists()
        # Not `Path.glob`, which takes no absolute patterns.
        matches = sorted(glob.glob(pattern, recursive=True)) if is_pattern else [pattern]  # noqa: PTH207
        if not matches:
            raise BadOutput(f"No file matches {pattern}.")
        found += matches
    return list(dict.fromkeys(found))


def outputs_of(
    inputs: Sequence[str],
    out: str,
    form: "ResultFormat | None" = None,
    *,
    force: bool,
    skip_existing: bool = False,
) -> dict[str, str]:
    """Returns the output of each input: `out` of one, and of several `NAME-predictions.csv` in the folder `out`.

    The ending is that of the format `form`, if it is given. The folder is made if it does not exist. With
    `skip_existing`, inputs whose output exists are left out.

    Raises:
        BadOutput: several inputs have no folder, two of them would have one output, an output exists, or `out` is
            empty.
    """
    if not out:  # for example a variable of the shell that is not set
        raise BadOutput("The output is empty. Name a file or a folder, or - for standard output.")
    if force and skip_existing:
        raise BadOutput("--force overwrites results, and --skip-existing keeps them: give one of the two.")
    if len(inputs) == 1 and not Path(out).is_dir() and not out.endswith("/"):
        _require_no_input(out, inputs)
        require_free(out, force=force or skip_existing)
        return _unfinished({inputs[0]: out}) if skip_existing else {inputs[0]: out}
    if out == _STDIO or _STDIO in inputs:
        raise BadOutput("Several files need a folder for their results: -o FOLDER")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise BadOutput(f"{out} is a file. Several files need a folder for their results: -o FOLDER")
    named = {source: str(folder / f"{_stem(source)}-predictions.{form or 'csv'}") for source in inputs}
    for output in named.values():
        same = [source for source, other in named.items() if other == output]
        if len(same) > 1:
            raise BadOutput(
                f"{' and '.join(same)} would all be written to {output}. Score them one by one, into different folders."
            )
        _require_no_input(output, inputs)
        if not (force or skip_existing) and Path(output).is_file():
            raise BadOutput(
                f"{output} exists. Use --skip-existing to leave out files whose result exists, --force to overwrite "
                "results, or another folder."
            )
    folder.mkdir(parents=True, exist_ok=True)
    return _unfinished(named) if skip_existing else named


def _unfinished(outputs: dict[str, str]) -> dict[str, str]:
    """Returns those whose output does not exist. A result appears when it is complete."""
    return {source: output for source, output in outputs.items() if not Path(output).is_file()}


def _require_no_input(output: str, inputs: Sequence[str]) -> None:
    """Checks that no result replaces the file that it is made of, also with `--force`."""
    target = Path(output)
    if target.is_file() and any(target.resolve() == Path(source).resolve() for source in inputs):
        raise BadOutput(f"{output} is one of the inputs, and would be overwritten. Choose another name with -o.")


def _stem(source: str) -> str:
    name = Path(source).name
    for ending in (".gz", ".zip", ".csv", ".tsv", ".txt", ".parquet", ".xlsx"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name or Path(source).name
