"""The problem document (RFC 9457) that every HTTP error and every failed job has."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from rowcast.errors import PREFIX


class Fault(TypedDict):
    """One thing that is wrong with an input. `where` is a column, an option, a path in the JSON or a row."""

    where: str
    message: str


class Recorded(TypedDict):
    """A job's error in the form that its record holds. The other members of `Problem` follow from `type`."""

    type: str
    detail: str
    errors: NotRequired[list[Fault]]


class Problem(TypedDict):
    """What went wrong."""

    type: Annotated[
        str,
        Field(
            description="`urn:rowcast:problem:` and a stable name; `/docs/errors` lists them.",
            pattern=f"^{PREFIX}[a-z0-9-]+$",
            examples=[f"{PREFIX}missing-columns"],
        ),
    ]
    title: Annotated[str, Field(description="The type in a few words.")]
    status: int
    detail: Annotated[str, Field(description="What is wrong in this case, for people.")]
    help: Annotated[str, Field(description="Path of a page that explains the type and what to do.")]
    errors: NotRequired[Annotated[list[Fault], Field(description="Each fault of the input that has a place.")]]
