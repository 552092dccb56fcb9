"""A request to predict: who asks for what, checked, with the model version pinned."""

import hashlib
import json
from dataclasses import dataclass

from rowcast.jobs.job import ModelRef
from rowcast.jobs.new_job import Repeat
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Manifest


@dataclass(frozen=True)
class Request:
    """Who asks for what. `idempotency_key` is the caller's word for "the same request again"."""

    manifest: Manifest
    options: Options
    owner: str = ""
    request_id: str = ""
    idempotency_key: str | None = None
    filename: str | None = None

    def repeat(self, content: bytes | str) -> Repeat | None:
        """The digests that tell whether a request was made before; `content` stands for its body."""
        if self.idempotency_key is None:
            return None
        asked = json.dumps([self.options.model_dump(mode="json"), self.filename, content], default=str)
        return Repeat(_digest(f"{self.owner}\n{self.idempotency_key}"), _digest(asked))

    @property
    def model(self) -> ModelRef:
        """The version to pin."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
