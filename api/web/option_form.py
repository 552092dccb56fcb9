"""The options of `POST /predict` as fields of the page's form, made from their table (`option_table`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup, escape

from rowcast.errors import ColumnClash
from rowcast.jobs.option_table import OPTIONS, Group, Option

TITLES: dict[Group, str] = {"file": "Reading the file", "result": "Result", "job": "Job"}
"""The groups of fields, in their order. The option `model` is not among them: the form has two fields for it."""

_YES_OR_NO = (("true", "yes"), ("false", "no"))
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class FormField:
    """One field of the form."""

    #: Name of the option, and of the field.
    name: str
    #: What the field is called on the page.
    label: str
    #: What it means, as HTML.
    hint: Markup
    #: `check`: a box that turns the option on. `choice`: a list. `text`: anything.
    kind: Literal["check", "choice", "text"]
    #: Values of a list, each with its text.
    choices: tuple[tuple[str, str], ...]
    #: What a list or a text begins with: the given value, or the default of a list.
    value: str
    #: Shown in an empty text field: the default, in words.
    placeholder: str
    #: What is wrong with the given value; empty if nothing is known to be.
    fault: str

    @property
    def is_checked(self) -> bool:
        """Whether the box of a `check` is ticked."""
        return self.value == "true"


@dataclass(frozen=True)
class FormGroup:
    """Fields that are shown together, folded as long as nothing in them was set."""

    name: Group
    title: str
    fields: list[FormField]
    #: Whether it is shown unfolded.
    is_open: bool


def form_groups(given: Mapping[str, str], faults: Mapping[str, str]) -> list[FormGroup]:
    """Returns all fields. `given` has what was typed before, and `faults` what is wrong with it, by option."""
    groups = []
    for group, title in TITLES.items():
        names = [name for name, option in OPTIONS.items() if option.group == group]
        fields = [_field(name, OPTIONS[name], given.get(name, ""), faults.get(name, "")) for name in names]
        is_open = any(field.fault or given.get(field.name, "") not in ("", _default(field.name)) for field in fields)
        groups.append(FormGroup(group, title, fields, is_open))
    return groups


def filled(fields: Mapping[str, str]) -> dict[str, str]:
    """Returns the fields of a sent form that are not empty: an empty field means that the option is not given."""
    return {name: value for name, value in fields.items() if value.strip()}


def option_faults(problem: Mapping[str, Any] | None) -> dict[str, str]:
    """Returns what a problem document says about options: its messages by the names of the options."""
    if not problem:
        return {}
    faults = problem.get("errors", ())
    if problem["type"] == ColumnClash.problem_type():
        field = "columns" if faults[0]["where"].startswith("columns.") else "prediction_column"
        return {field: faults[0]["message"]}
    named = {fault["where"].partition(".")[0] if _is_key(fault) else fault["where"]: fault for fault in faults}
    return {name: fault["message"] for name, fault in named.items() if name in OPTIONS}


def _is_key(fault: Mapping[str, str]) -> bool:
    """Returns whether a fault is about one of the columns that the option `key` names: `key.COLUMN`."""
    return fault["where"].startswith("key.")


def _field(name: str, option: Option, given: str, fault: str) -> FormField:
    choices = _choices(option)
    is_box = option.takes is bool and not choices
    return FormField(
        name=name,
        label=option.label,
        hint=Markup(_CODE.sub(r"<code>\1</code>", str(escape(option.description)))),  # noqa: S704 - escaped
        kind="check" if is_box else "choice" if choices else "text",
        choices=choices,
        value=given or (_default(name) if choices else ""),
        placeholder="" if option.default_text == "none" else option.default_text,
        fault=fault,
    )


def _choices(option: Option) -> tuple[tuple[str, str], ...]:
    """Returns the values of a list. A box that is not ticked is not sent, so it only fits what is off by default."""
    if option.default is True:
        return _YES_OR_NO
    texts = option.takes if isinstance(option.takes, tuple) else option.offers
    return tuple((text, text) for text in texts)


def _default(name: str) -> str:
    option = OPTIONS[name]
    return "" if option.has_no_default else option.default_text
