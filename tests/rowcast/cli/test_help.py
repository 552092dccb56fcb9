"""The help of each command: examples that are valid command lines, and no line that is too wide."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from rowcast.cli.main import app


def leaves(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Yields the words of each command."""
    for name, one in command.commands.items():
        if hasattr(one, "commands"):
            yield from leaves(one, *path, name)
        else:
            yield (*path, name)


ROOT = get_command(app)
COMMANDS = list(leaves(ROOT))


def found(words: list[str] | tuple[str, ...]) -> tuple[Any, list[str]]:
    """Returns the command that a command line begins with, and its arguments."""
    command, rest = ROOT, list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_has_examples_that_it_takes(path: tuple[str, ...]) -> None:
    epilog = found(path)[0].epilog or ""
    assert epilog.startswith("Examples:")
    lines = [line.strip() for line in epilog.splitlines()[1:] if line.strip()]
    assert lines
    for line in lines:
        words = shlex.split(line.partition("rowcast ")[2].partition(" > ")[0])
        command, arguments = found(words)
        command.make_context(words[0], arguments, resilient_parsing=True)  # fails at an option that there is not
    assert any(f"rowcast {' '.join(path)}" in line for line in lines)


@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_a_help_fits_the_terminal(
    rowcast, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = rowcast(*path, "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.decode().splitlines())) <= columns
    assert b"\x1b" not in done.stdout, "there are no colors in a pipe"


def test_a_misspelt_command_gets_the_nearest(rowcast) -> None:
    done = rowcast("predcit", "in.csv")
    assert done.returncode == 2
    assert b"predict" in done.stderr
