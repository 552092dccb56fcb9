"""A batch job's manifest: all that its record starts with, as a file beside the input.

Redis holds the records, and may be emptied; from this file upkeep makes the record again (`rebuild.py`).
"""

import base64
from typing import Literal

from pydantic import BaseModel, ValidationError

from rowcast.jobs.job import Spec
from rowcast.jobs.new_job import NewJob, Repeat


class _Manifest(BaseModel):
    form: Literal[1] = 1
    """Raised where an older reader would misunderstand."""
    owner: str
    spec: Spec
    rows: int
    chunks: int
    plan: str
    """Base64 of `packed.pack_plan`."""
    repeat: tuple[str, str] | None
    max_errors: int | None


def write(job: NewJob) -> bytes:
    """The manifest of a batch job."""
    return (
        _Manifest(
            owner=job.owner,
            spec=job.spec,
            rows=job.rows,
            chunks=job.chunks,
            plan=base64.b64encode(job.plan or b"").decode(),
            repeat=(job.repeat.digest, job.repeat.fingerprint) if job.repeat else None,
            max_errors=job.max_errors,
        )
        .model_dump_json(exclude_defaults=True)
        .encode()
    )


def read(id: str, document: bytes) -> NewJob | None:
    """The job as it was when it was made; None where the manifest is none that we can read."""
    try:
        found = _Manifest.model_validate_json(document)
    except ValidationError:
        return None
    return NewJob(
        id=id,
        owner=found.owner,
        spec=found.spec,
        rows=found.rows,
        chunks=found.chunks,
        plan=base64.b64decode(found.plan),
        repeat=Repeat(*found.repeat) if found.repeat else None,
        max_errors=found.max_errors,
    )
