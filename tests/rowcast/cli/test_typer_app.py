"""The help of every command."""

from collections.abc import Iterator

import pytest
from typer.main import get_command

from rowcast.cli.main import app


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields the words of the group and of each command below it."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("words", list(commands(get_command(app))), ids=" ".join)
def test_help_explains_every_command_and_option_and_shows_no_type_for_flags(rowcast, words: tuple[str, ...]) -> None:
    command = get_command(app)
    for word in words:
        command = command.commands[word]
    assert command.help
    assert all(getattr(parameter, "help", None) for parameter in command.params if "--" in "".join(parameter.opts))
    shown = rowcast(*words, "--help")
    assert shown.returncode == 0
    assert b"--help" in shown.stdout
    assert b"<bool>" not in shown.stdout
