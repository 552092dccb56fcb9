"""What is asked for when actuals are sent."""

from pydantic import BaseModel, ConfigDict

MAX_ROWS = 1_000_000
"""Maximum rows of one file of actuals. A worker has their keys in memory while it joins them."""


class ActualsQuery(BaseModel):
    """Which columns of the file are the key and the truth, and which jobs are joined."""

    model_config = ConfigDict(frozen=True)

    #: Name of the model; every version of it is joined.
    model: str
    #: Columns of the key, in the file and in the results. None are those of the newest job that has the option `key`.
    key: tuple[str, ...] = ()
    #: Column of the file with what became true.
    truth: str
    #: What separates the fields of the file.
    delimiter: str = ","
    #: Only jobs that were made then or later; milliseconds since 1970, UTC.
    since_ms: int | None = None
    #: Only jobs that were made before.
    until_ms: int | None = None
    #: Only jobs of this API key; None is those of every key.
    owner: str | None = None
