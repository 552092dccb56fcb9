"""The table of the options of `POST /predict`: their names, defaults, values and descriptions.

The gateway's parser and schema (`rowcast.jobs.options`), the command line and the table in docs/api.md are made from
it. It imports nothing, so that `rowcast --help` stays quick. The client repeats the names and types for type checkers.
`tests/rowcast/cli/commands/test_predict_options.py` holds all of them together.
`python -m rowcast.jobs.option_table` prints the table of docs/api.md.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    """One option."""

    #: Value that applies if the option is not given.
    default: Any
    #: Meaning, in Markdown without links, for people who use HTTP, the command line or the client.
    description: str
    #: Type of a value in a query: `bool`, `int` (0 or more) or `str`; or the texts to choose from.
    takes: type | tuple[str, ...] = str
    #: The default in words, if it depends on the service or on the model.
    default_in_words: str = ""

    @property
    def default_text(self) -> str:
        """The default as users write it, for example `joined` or `the model's`."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return self.default_in_words or ("none" if self.has_no_default else str(self.default))

    @property
    def has_no_default(self) -> bool:
        """Whether no value of the option itself applies if it is not given."""
        return self.default in (None, (), {})


OPTIONS = {
    "model": Option(
        None,
        "The model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`. It is resolved once, when the job is created. Two models "
        "with a comma between them both predict in one pass, each into its own columns, and the summary counts the "
        "rows where they disagree.",
        default_in_words="the default model",
    ),
    "output": Option(
        "joined",
        "`joined`: every input row, byte for byte, then the added cells. `predictions`: the columns of `key`, "
        "then the added cells.",
        takes=("joined", "predictions"),
    ),
    "key": Option(
        (),
        "Input columns that `output=predictions` keeps, for example `a,b`. In JSON also a list.",
    ),
    "probabilities": Option(
        False,
        "Adds `probability_CLASS` for each class, in the model's order. Refused (422) if the model has no "
        "probabilities.",
        takes=bool,
    ),
    "scores": Option(
        False,
        "Adds what the model's `decision_function` returns, as `score` or as `score_CLASS` for each class.",
        takes=bool,
    ),
    "prediction_column": Option(
        "prediction",
        "Name of the prediction column. Refused (422) if the input has a column of that name.",
    ),
    "on_error": Option(
        "skip",
        "What happens if a row cannot be predicted. `skip`: its added cells are empty, and `errors` lists it. "
        "`fail`: the job fails. `column`: as `skip`, and a column `prediction_error` says what is wrong; it is empty "
        "for good rows.",
        takes=("skip", "fail", "column"),
    ),
    "max_errors": Option(
        None,
        "The job fails as soon as more rows than this could not be predicted.",
        takes=int,
    ),
    "delimiter": Option(
        "auto",
        "What separates the fields: `,` `;` `|` or `tab`. `auto` is the one with which the header has the "
        "model's features; the job's `input.delimiter` shows it. CSV only.",
    ),
    "decimal": Option(
        ".",
        "Decimal mark in the cells: `.` or `,`. CSV only.",
        takes=(".", ","),
    ),
    "encoding": Option(
        "auto",
        "`utf-8`, `utf-16`, `windows-1252` or `latin-1`. `auto` is UTF-8, or UTF-16 if the file begins with "
        "its byte order mark. CSV only.",
    ),
    "na_values": Option(
        None,
        "Cells that mean a missing value, for example `NA,n/a`. In JSON also a list. An empty text is a value too.",
        default_in_words="the model's",
    ),
    "header": Option(
        True,
        "Without a header line (`false`), the columns are the model's features in order. CSV only.",
        takes=bool,
    ),
    "guard_formulas": Option(
        False,
        "Puts an apostrophe before predicted text that begins with `=` `+` `-` `@`, a tab or a carriage "
        "return, so that a spreadsheet does not run it.",
        takes=bool,
    ),
    "reuse": Option(
        False,
        "If you have had the same file scored with the same model version and options, responds with that job instead "
        "of making another. Files only; not with `follow`.",
        takes=bool,
    ),
    "tags": Option(
        {},
        "Up to 16 tags to find the job by, for example `run:nightly,team:risk`. In JSON also an object.",
    ),
    "webhook": Option(
        None,
        "An https URL that gets the job as a signed POST when it has ended. Not with `reuse`.",
    ),
}


def table() -> str:
    """Returns the options as a Markdown table: option, default, meaning."""
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for name, option in OPTIONS.items():
        default = option.default_text if option.has_no_default else f"`{option.default_text}`"
        lines.append(f"| `{name}` | {default} | {option.description.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
