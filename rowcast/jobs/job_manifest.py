"""A batch job's manifest: everything that its record starts with, as a file next to the input.

The records are in Redis, which may be emptied. Upkeep makes a lost record again from this file (`upkeep/rebuild.py`).
"""

import base64
import json
from typing import Literal

from pydantic import BaseModel, ValidationError

from rowcast.jobs.job import Spec
from rowcast.jobs.new_job import NewJob, Repeat


class _Manifest(BaseModel):
    """The manifest as JSON. The fields that have no line here are those of `NewJob`."""

    form: Literal[1, 2, 3, 4] = 1
    """Version of this format. It is 2 if two models predict, because an older reader would take only the first;
    3 if the files are read by URL; and 4 of actuals."""
    owner: str
    spec: Spec
    rows: int
    chunks: int
    plan: str
    """The packed plan (`chunk_tables.pack_plan`) in Base64."""
    repeat: tuple[str, str] | None
    """Digest and fingerprint of `Repeat`."""
    max_errors: int | None
    is_converting: bool = False
    repairs: int = 0
    revisions: dict[int, str] = {}


def write(job: NewJob) -> bytes:
    """Returns the manifest of a batch job."""
    return (
        _Manifest(
            form=_form(job.spec),
            owner=job.owner,
            spec=job.spec,
            rows=job.rows,
            chunks=job.chunks,
            plan=base64.b64encode(job.plan or b"").decode(),
            repeat=(job.repeat.digest, job.repeat.fingerprint) if job.repeat else None,
            max_errors=job.max_errors,
            is_converting=job.is_converting,
            repairs=job.repairs,
            revisions=dict(job.revisions),
        )
        .model_dump_json(exclude_defaults=True)
        .encode()
    )


def _form(spec: Spec) -> Literal[1, 2, 3, 4]:
    if spec.actuals is not None:
        return 4
    return 3 if spec.by_url else 1 if spec.second_model is None else 2


def read(id: str, document: bytes) -> NewJob | None:
    """Returns the job as it was when it was made, or None if this version cannot read the manifest."""
    try:
        known = json.loads(document)
        found = _Manifest.model_validate(known | {"spec": Spec.read(json.dumps(known["spec"]))})
    except (ValidationError, ValueError, LookupError, TypeError):
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
        is_converting=found.is_converting,
        repairs=found.repairs,
        revisions=found.revisions,
    )
