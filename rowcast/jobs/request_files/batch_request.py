"""A batch request: what the caller of `POST /v1/batches` asks for."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class BatchRequest(BaseModel):
    """What is known of a batch of requests when it is made. It is a part of its job's `Spec`."""

    model_config = ConfigDict(frozen=True)

    #: Id of the file of requests.
    file_id: str
    #: The path that each line names in `url`.
    endpoint: str
    #: How long the batch may take, as the caller wrote it, for example `24h`.
    completion_window: str
    #: Pairs of the caller's own.
    metadata: dict[str, str] | None = None
    #: What the bodies of all lines have in common: the first one without `features`.
    body: dict[str, Any] = {}
