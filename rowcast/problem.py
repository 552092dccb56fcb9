"""A problem document (RFC 9457): what every HTTP error and every failed job carries."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from rowcast.errors import PREFIX


class Fault(TypedDict):
    """One thing that is wrong with an input, and where: a column, an option, a place in the JSON, a row."""

    where: str
    message: str


class Recorded(TypedDict):
    """A job's error as its record holds it. `type` tells the rest; see `Problem`."""

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
    detail: Annotated[str, Field(description="What is wrong this time, for people.")]
    help: Annotated[str, Field(description="Path of a page that explains the type and what to do.")]
    errors: NotRequired[Annotated[list[Fault], Field(description="Each fault of the input that has a place.")]]
