"""The names of the service's options on the command line: in commands, and in what the service says.

The service names an option as a request has it, for example `encoding=windows-1252`. A command has it as
`--encoding windows-1252`.
"""

import re
from shlex import quote

from rowcast.jobs.option_table import OPTIONS

_NAMES = "|".join(OPTIONS)
_AT_FAULT = re.compile(rf"^({_NAMES})(?=: )")
_NAME = re.compile(rf"(?<=option )`({_NAMES})`|(?<=another )(prediction_column)\b")
_SETTING = re.compile(rf"(?:(?<=send )|`)({_NAMES})=([\w-]+)`?")


def parameter_name(name: str) -> str:
    """Returns the name of an option's parameter, for example `no_header` for `header`."""
    return f"no_{name}" if OPTIONS[name].default is True else name


def flag(name: str) -> str:
    """Returns an option as a command has it, for example `--no-header` for `header`."""
    return "--" + parameter_name(name).replace("_", "-")


def as_written(name: str, value: str) -> str:
    """Returns an option with its value as a command has them, for example `--delimiter ';'`."""
    return flag(name) if OPTIONS[name].takes is bool else f"{flag(name)} {quote(value)}"


def in_words_of_commands(text: str) -> str:
    """Returns a message of the service with its options as commands have them."""
    for pattern in (_AT_FAULT, _NAME):
        text = pattern.sub(lambda found: flag(found[found.lastindex or 1]), text)
    return _SETTING.sub(lambda found: as_written(*found.groups()), text)
