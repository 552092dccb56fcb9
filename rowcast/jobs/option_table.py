"""The table of the options of `POST /predict`: their names, defaults, values and descriptions.

The gateway's parser and schema (`rowcast.jobs.options`), the command line, the form of the web page and the table in
docs/api.md are made from it. It imports nothing, so that `rowcast --help` stays quick. The client repeats the names and
types for type checkers.
`tests/rowcast/cli/commands/test_predict_options.py` holds all of them together.
`python -m rowcast.jobs.option_table` prints the table of docs/api.md.
"""

from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["model", "file", "result", "job"]
"""What an option is about: which model predicts, how the file is read, what the result has, or the job around it."""


@dataclass(frozen=True)
class Option:
    """One option."""

    #: Value that applies if the option is not given.
    default: Any
    #: Its name for people, as a form has it.
    label: str
    #: What it is about. Forms and help texts show the options of a group together.
    group: Group
    #: Meaning, in Markdown without links, for users of HTTP, the command line, the client and the page.
    description: str
    #: More of the meaning, for users of everything but the page.
    for_programs: str = ""
    #: Type of a value in a query: `bool`, `int` (0 or more), `float` (over 0) or `str`; or the texts to choose from.
    takes: type | tuple[str, ...] = str
    #: The texts that a form offers, if the option takes these and other spellings of them.
    offers: tuple[str, ...] = ()
    #: The default in words, if it depends on the service or on the model.
    default_in_words: str = ""

    @property
    def whole_description(self) -> str:
        """The description with what is for programs."""
        return f"{self.description} {self.for_programs}".strip()

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


PRIORITIES = ("low", "normal", "high")
"""The priorities of a file."""

OPTIONS = {
    "model": Option(
        None,
        "Model",
        "model",
        "The model: `NAME`, `NAME@VERSION` or `NAME@ALIAS`. It is resolved once, when the job is created. Two models "
        "with a comma between them both predict in one pass, each into its own columns, and the summary counts the "
        "rows where they disagree.",
        default_in_words="the default model",
    ),
    "output": Option(
        "joined",
        "Output",
        "result",
        "`joined`: every input row, byte for byte, then the added cells. `predictions`: the columns of `key`, "
        "then the added cells.",
        takes=("joined", "predictions"),
    ),
    "key": Option(
        (),
        "Key columns",
        "result",
        "Input columns that `output=predictions` keeps, for example `a,b`. A name with a comma is in double quotes.",
        "In JSON also a list.",
    ),
    "probabilities": Option(
        False,
        "Add the probability of each class",
        "result",
        "Adds `probability_CLASS` for each class, in the model's order.",
        "Refused (422) if the model has no probabilities.",
        takes=bool,
    ),
    "scores": Option(
        False,
        "Add decision scores",
        "result",
        "Adds what the model's `decision_function` returns, as `score` or as `score_CLASS` for each class.",
        takes=bool,
    ),
    "threshold": Option(
        None,
        "Threshold",
        "result",
        "For models with two classes: the prediction is the second class if its probability is at least this number, "
        "for example `0.3`, otherwise the first one. `auto` is the threshold that was registered with the model.",
        "Refused (422) for other models, and `auto` if the model was registered without one.",
        default_in_words="the model's own prediction",
    ),
    "top": Option(
        None,
        "Most likely classes",
        "result",
        "Adds the N most likely classes and their probabilities: `top_1`, `top_1_probability`, `top_2` and so on. "
        "Classes with the same probability stand in the model's order.",
        "Refused (422) if the model has fewer classes, or no probabilities.",
        takes=int,
    ),
    "explain": Option(
        None,
        "Explain predictions",
        "result",
        "Adds the N features that moved each prediction most, and how much: `explanation_base`, then "
        "`explanation_1_feature`, `explanation_1_value` and so on. Linear models and boosting only.",
        "Refused (422) for other models, with two models, and if the model has fewer features.",
        takes=int,
    ),
    "prediction_column": Option(
        "prediction",
        "Name of the prediction column",
        "result",
        "Name of the prediction column.",
        "Refused (422) if the input has a column of that name.",
    ),
    "columns": Option(
        {},
        "Added columns",
        "result",
        "The added columns of the result in their order, each with a new name if one is given: "
        "`probability_1:score,prediction`. The others are left out. A name with a comma is in double quotes, together "
        "with its new name. Probabilities and scores that are named need no further option.",
        "In JSON also an object. Refused (422) for a single row.",
        default_in_words="all, by their own names",
    ),
    "on_error": Option(
        "skip",
        "Rows that cannot be predicted",
        "result",
        "What happens if a row cannot be predicted. `skip`: its added cells are empty, and `errors` lists it. "
        "`fail`: the job fails. `column`: as `skip`, and a column `prediction_error` says what is wrong; it is empty "
        "for good rows.",
        takes=("skip", "fail", "column"),
    ),
    "max_errors": Option(
        None,
        "Most bad rows allowed",
        "result",
        "The job fails as soon as more rows than this could not be predicted.",
        takes=int,
    ),
    "fail_if_drift": Option(
        None,
        "Largest drift allowed",
        "result",
        "The job fails if a column of the file or the predictions differ from the model's sample by this PSI or more, "
        "for example `0.25`. Files of at least 200 rows.",
        "What was scored can be fetched with `partial=true`. Refused (422) if the model has no profile.",
        takes=float,
    ),
    "delimiter": Option(
        "auto",
        "Delimiter",
        "file",
        "What separates the fields: `,` `;` `|` or `tab`. `auto` is the one with which the header has the "
        "model's features; the job's `input.delimiter` shows it. CSV only.",
        offers=("auto", ",", ";", "|", "tab"),
    ),
    "decimal": Option(
        ".",
        "Decimal mark",
        "file",
        "Decimal mark in the cells: `.` or `,`. CSV only.",
        takes=(".", ","),
    ),
    "encoding": Option(
        "auto",
        "Encoding",
        "file",
        "`utf-8`, `utf-16`, `windows-1252` or `latin-1`. `auto` is UTF-8, or UTF-16 if the file begins with "
        "its byte order mark. CSV only.",
        offers=("auto", "utf-8", "utf-16", "windows-1252", "latin-1"),
    ),
    "na_values": Option(
        None,
        "Missing values",
        "file",
        "Cells that mean a missing value, for example `NA,n/a`.",
        "In JSON also a list. An empty text is a value too.",
        default_in_words="the model's",
    ),
    "header": Option(
        True,
        "First line is a header",
        "file",
        "Without a header line (`false`), the columns are the model's features in order. CSV only.",
        takes=bool,
    ),
    "guard_formulas": Option(
        False,
        "Guard formulas",
        "result",
        "Puts an apostrophe before predicted text that begins with `=` `+` `-` `@`, a tab or a carriage "
        "return, so that a spreadsheet does not run it.",
        takes=bool,
    ),
    "priority": Option(
        "normal",
        "Priority",
        "job",
        "`low`, `normal` or `high`: which of your files are scored first. Of 16 chunks at least one is of a `low` job, "
        "and of 4 at least one of a `normal` one, so none stands still. It takes nothing from other API keys.",
        "Single rows have a separate share of the time, and no priority.",
        takes=PRIORITIES,
    ),
    "expires_in": Option(
        None,
        "Longest time",
        "job",
        "The job fails if it has not ended after this time, for example `90`, `90s`, `15m`, `2h` or `1d`; a number is "
        "seconds. The upload counts, too.",
        "What was scored by then can be fetched with `partial=true`.",
    ),
    "reuse": Option(
        False,
        "Reuse an earlier job",
        "job",
        "If you have had the same file scored with the same model version and options, responds with that job instead "
        "of making another.",
        "Files only; not with `follow`.",
        takes=bool,
    ),
    "tags": Option(
        {},
        "Tags",
        "job",
        "Up to 16 tags to find the job by, for example `run:nightly,team:risk`.",
        "In JSON also an object.",
    ),
    "webhook": Option(
        None,
        "Webhook",
        "job",
        "An https URL that gets the job as a signed POST when it has ended. Not with `reuse`.",
    ),
}


def table() -> str:
    """Returns the options as a Markdown table: option, default, meaning."""
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for name, option in OPTIONS.items():
        default = option.default_text if option.has_no_default else f"`{option.default_text}`"
        lines.append(f"| `{name}` | {default} | {option.whole_description.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
