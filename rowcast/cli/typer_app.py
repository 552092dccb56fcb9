"""The Typer app: as Typer's own, with examples in each help, and without the type `<bool>` next to flags."""

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


def _without_flag_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


class App(typer.Typer):
    """A group of commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=_Group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[..., Any]:
        """Registers the decorated function as a command.

        Its docstring is the help. Lines after `Examples:` are example command lines, which come after the options.
        """
        register = super().command

        def decorate(function: Callable[..., Any]) -> Any:
            text, examples = help_of(function)
            ending = "\n\n".join(["Examples:", *(f"  {line}" for line in examples)]) if examples else None
            return register(name, cls=_Command, help=text, epilog=ending, **settings)(function)

        return decorate


def help_of(function: Callable[..., Any]) -> tuple[str, list[str]]:
    """Returns the help in a command's docstring, and its example command lines."""
    text, _, examples = (inspect.getdoc(function) or "").partition("\n\nExamples:\n")
    return text, [line.strip() for line in examples.splitlines() if line.strip()]
