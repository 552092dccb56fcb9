"""The options of `predict` and `submit`, made from the table of the service's options, `rowcast.jobs.option_table`.

Each option of the table becomes `--name-with-hyphens`, with the table's values, default and description.
A boolean is a flag. If it is true by default, the flag turns it off, for example `--no-header`.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Annotated, Any, Literal

import typer

from rowcast.cli.option_names import flag, parameter_name
from rowcast.jobs.option_table import OPTIONS, Option

_SHORT = {"model": "-m"}


def takes_predict_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces the command's parameter `options` by one parameter for each option of the service.

    The command gets a mapping of the options that were given, by the service's names. The others are left out, so
    that the service's defaults apply.
    """
    own = inspect.signature(command).parameters.values()
    parameters: list[inspect.Parameter] = []
    for parameter in own:
        parameters += _parameters() if parameter.name == "options" else [parameter]

    @wraps(command)
    def with_options(**values: Any) -> None:
        options = {}
        for name, option in OPTIONS.items():
            value = values.pop(parameter_name(name))
            if value is not None and value is not False:
                options[name] = not option.default if option.takes is bool else value
        command(**values, options=options)

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def _parameters() -> Iterator[inspect.Parameter]:
    for name, option in OPTIONS.items():
        yield inspect.Parameter(
            parameter_name(name),
            inspect.Parameter.KEYWORD_ONLY,
            default=False if option.takes is bool else None,
            annotation=Annotated[_value_type(option), _declaration(name, option)],
        )


def _value_type(option: Option) -> Any:
    if option.takes is bool:
        return bool
    choices: Any = Literal
    return (choices[option.takes] if isinstance(option.takes, tuple) else option.takes) | None


def _declaration(name: str, option: Option) -> Any:
    return typer.Option(
        flag(name),
        *([_SHORT[name]] if name in _SHORT else []),
        help=option.whole_description.replace("`", ""),
        min=0 if option.takes is int else None,
        rich_help_panel="How the file is read" if option.group == "file" else "How it is scored",
        show_default=False if option.takes is bool or option.default_text == "none" else option.default_text,
    )
