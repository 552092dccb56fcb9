"""A request to predict, after its checks: the caller, the options, and the model version that it is pinned to."""

import hashlib
import json
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from rowcast.jobs.job import ModelRef
from rowcast.jobs.new_job import Repeat
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Manifest


@dataclass(frozen=True)
class Request:
    """A request to predict, without its body."""

    #: The model's manifest; it names the version.
    manifest: Manifest
    #: The options of the request.
    options: Options
    #: Name of the caller's API key; empty if the gateway has no keys.
    owner: str = ""
    #: Id of the HTTP request, for the logs.
    request_id: str = ""
    #: The header `Idempotency-Key`: a caller repeats it to say that a request is the same one again.
    idempotency_key: str | None = None
    #: Name of the file, if the request has one.
    filename: str | None = None
    #: Whether the job only serves the check of a file (`Spec.is_check`).
    is_check: bool = False

    def repeat(self, content: bytes | str) -> Repeat | None:
        """Returns the digests by which the same request is recognised, or None without an Idempotency-Key.

        `content` identifies the body, for example by its SHA-256.
        """
        if self.idempotency_key is None:
            return None
        asked = json.dumps([self.options.model_dump(mode="json"), self.filename, content], default=str)
        return Repeat(_digest(f"{self.owner}\n{self.idempotency_key}"), _digest(asked))

    def sameness(self, sha256: str, options: Options) -> str:
        """Returns the digest that two requests share whose results are the same.

        `sha256` is that of the file. `options` are those of the job, with the delimiter that was found.
        """
        asked = options.model_dump(mode="json", exclude={"model", "tags", "reuse", "webhook"})
        return _digest(json.dumps([self.owner, str(self.model), sha256, asked]))

    @property
    def model(self) -> ModelRef:
        """The version that the job is pinned to."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version)


class StoredRequest(BaseModel):
    """The request of a resumable upload as its record has it, so that any gateway can go on with it."""

    model_config = ConfigDict(frozen=True)

    #: `NAME@VERSION` of the model that the job will be pinned to.
    model: str
    #: The options of the request.
    options: Options
    #: As in `Request`.
    owner: str
    #: As in `Request`.
    request_id: str
    #: As in `Request`.
    idempotency_key: str | None
    #: As in `Request`.
    filename: str | None
    #: Whether the sender says that the file is gzip.
    is_gzip: bool
    #: Maximum bytes of a chunk when the upload was created. A gateway with another setting must cut the same chunks.
    chunk_bytes: int
    #: Maximum rows of a chunk when the upload was created.
    chunk_rows: int

    def request(self, manifest: Manifest) -> Request:
        """Returns the request. `manifest` is that of `model`."""
        return Request(manifest, self.options, self.owner, self.request_id, self.idempotency_key, self.filename)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
