"""What a check found: whether a thing is well, and what to do if it is not."""

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "fault", "skipped"]
"""`fault`: jobs are refused, wait or may be lost. `warning`: they will be, or only a part is affected."""


class Diagnosis(NamedTuple):
    """One line of the report."""

    state: State
    #: What was looked at: `settings`, `redis`, `store`, `models`, `workers`, `upkeep`, `gateway` or `cache`.
    area: str
    #: What was found, as a sentence.
    message: str
    #: What to do; empty if nothing has to be done.
    remedy: str = ""
