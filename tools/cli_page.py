"""The page about the command line, made from the commands themselves.

python tools/cli_page.py    writes docs/cli.md
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from typer.main import get_command  # noqa: E402

from rowcast.cli.data_location import SERVICE_PANEL  # noqa: E402
from rowcast.cli.main import app  # noqa: E402
from rowcast.jobs.option_table import OPTIONS  # noqa: E402

PAGE = ROOT / "docs" / "cli.md"

_INTRODUCTION = """# The command line

`rowcast` sends files and rows to a service, registers models, and runs a service on this machine. `--help` after any
command shows its part of this page. (The page is made from the commands: `python tools/cli_page.py`.)

Results go to standard output, and everything else to standard error, so the output can be piped:

<!-- runs -->
```sh
gzip -c training/data/titanic.csv > in.csv.gz
zcat in.csv.gz | rowcast predict - | gzip > out.csv.gz
```

{exit_codes}

Commands that use a service take these options. `ROWCAST_URL` and `ROWCAST_API_KEY` in the environment do the same as
the first two.

"""

_EXIT_CODES = {
    0: "done",
    1: "the job failed or was cancelled, the file does not fit, the audit found a mismatch, or the doctor a fault",
    2: "wrong use, or the service refused the request",
    3: "the service cannot be reached",
    130: "Ctrl-C; 143 and 129 are SIGTERM and SIGHUP",
}

_OF_PREDICT = set(OPTIONS) - {"model"}
"""Names of the options that are explained with `POST /predict`."""


def markdown() -> str:
    """Returns the text of the page."""
    commands = list(_commands(get_command(app), "rowcast"))
    service = {option.name: option for _, command in commands for option in command.params if _is_of_service(option)}
    lines = [*_table(service.values()), "", "| command | what it does |", "| --- | --- |"]
    lines += [f"| [{name}](#{name.replace(' ', '-')}) | {_about(command)} |" for name, command in commands]
    for name, command in commands:
        lines += ["", f"## {name}", "", _about(command), "", *_examples(command), *_options(command)]
    codes = ["| exit code | meaning |", "| --- | --- |", *(_row(str(code), text) for code, text in _EXIT_CODES.items())]
    return _INTRODUCTION.format(exit_codes="\n".join(codes)) + "\n".join(lines).rstrip("\n") + "\n"


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Returns every command with the words that call it, for example `rowcast models add`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _about(command: Any) -> str:
    return " ".join((command.help or "").split())


def _examples(command: Any) -> list[str]:
    lines = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    return ["```sh", *lines, "```", ""] if lines else []


def _options(command: Any) -> list[str]:
    mine = [option for option in command.params if option.name != "help" and not _is_of_service(option)]
    lines = _table(option for option in mine if option.name not in _OF_PREDICT)
    shared = ", ".join(f"`{_names(option)[0]}`" for option in mine if option.name in _OF_PREDICT)
    # Only the commands that send files have `delimiter`; the `--key` of another command is something else.
    if "`--delimiter`" in shared:
        return [*lines, _row(shared, "", "The same as the [options of `POST /predict`](api.md#options).")]
    return _table(mine)


def _table(options: Iterable[Any]) -> list[str]:
    rows = [
        _row(", ".join(f"`{name}`" for name in _names(option)), _default(option), option.help or "")
        for option in options
    ]
    return ["| argument or option | default | meaning |", "| --- | --- | --- |", *rows] if rows else []


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _is_of_service(option: Any) -> bool:
    return getattr(option, "rich_help_panel", None) == SERVICE_PANEL


def _names(option: Any) -> list[str]:
    if option.param_type_name == "argument":
        return [option.metavar or option.name.upper()]
    return [*option.opts, *option.secondary_opts]


def _default(option: Any) -> str:
    """Returns the default as the command's help shows it."""
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    value = option.default
    return "" if value in (None, False, ()) or callable(value) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(markdown())
