"""What a receipt says of a job, before it is signed. Its types are those in /openapi.json."""

from typing import Annotated, Any, Literal

from pydantic import Field, GetPydanticSchema
from typing_extensions import TypedDict

from rowcast.jobs.job import Job
from rowcast.jobs.options import Options
from rowcast.jobs.public_job import Id, Time, timestamp
from rowcast.models.model_manifest import Manifest
from rowcast.receipts.verification import TYPE
from rowcast.version import VERSION

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

_EXACT = 2**53
"""JSON numbers up to this are exact everywhere (RFC 8785 §3.2.2.3). `max_errors` may be larger, and is then text.

Fractions are text, too, because programs write the same one in different ways: `fail_if_drift` and `threshold` are.
"""


class ReceiptJob(TypedDict):
    """The job of a receipt."""

    #: The job's id.
    id: Id
    #: The tags of the request.
    tags: dict[str, str]
    #: When the request began.
    created_at: Time
    #: When a worker began, or began again after a repair.
    started_at: Time
    #: When the job ended.
    finished_at: Time


class ReceiptModel(TypedDict):
    """The model of a receipt."""

    #: Name of the model.
    name: str
    #: Its version.
    version: str
    #: SHA-256 of the model's file, as in the registry's manifest.
    sha256: Sha256


class ReceiptInput(TypedDict):
    """The file that was sent."""

    #: Length in bytes, without gzip or zip.
    bytes: int
    #: SHA-256 of these bytes.
    sha256: Sha256
    #: Name of the file, if the request had one.
    filename: str | None
    #: What separates the fields.
    delimiter: str
    #: The encoding of the file.
    encoding: str


class ReceiptResult(TypedDict):
    """The result as CSV, as `GET /jobs/ID/result` returns it."""

    #: Length in bytes.
    bytes: int
    #: SHA-256 of the whole CSV.
    sha256: Sha256
    #: How often bad rows had been corrected.
    repairs: int


class Counts(TypedDict):
    """The rows of the job: `rows` is `predicted` and `bad` together."""

    rows: int
    predicted: int
    bad: int


class Versions(TypedDict):
    """The versions of programs."""

    #: Version of the service that made the receipt.
    rowcast: str
    #: Python and the libraries that the model was registered with, for example `{"python": "3.13.5", ...}`.
    model: dict[str, str]


class UnsignedReceipt(TypedDict):
    """A receipt without its signature."""

    #: The form of the document.
    type: Literal["urn:rowcast:receipt:1"]
    #: The job.
    job: ReceiptJob
    #: The model that predicted.
    model: ReceiptModel
    #: The file that was sent.
    input: ReceiptInput
    #: The result.
    result: ReceiptResult
    #: The options of the job, without model, tags and webhook.
    options: Annotated[dict[str, Any], GetPydanticSchema(lambda _, handler: handler(Options))]
    #: The counts of rows.
    counts: Counts
    #: The versions of programs.
    versions: Versions


class Receipt(UnsignedReceipt):
    """A signed statement of what was predicted, by what, and from what."""

    #: Thumbprint of the key that signed (RFC 7638).
    key_id: str
    #: Ed25519, in hexadecimal, over the canonical JSON (RFC 8785) of the document without this member.
    signature: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]


def unsigned_receipt(job: Job, manifest: Manifest, result_sha256: str) -> UnsignedReceipt:
    """Returns the receipt of a batch job that has succeeded. The same job gives the same receipt at any time."""
    sent = job.spec.input
    if sent is None or sent.sha256 is None or job.started_ms is None or job.finished_ms is None:
        raise ValueError(f"{job.id} is not a batch job of a sent file that has ended")
    options = job.spec.options.model_dump(mode="json", exclude={"model", "tags", "webhook"})
    return {
        "type": TYPE,
        "job": {
            "id": job.id,
            "tags": job.spec.options.tags,
            "created_at": timestamp(job.created_ms),
            "started_at": timestamp(job.started_ms),
            "finished_at": timestamp(job.finished_ms),
        },
        "model": {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256},
        "input": {
            "bytes": sent.bytes,
            "sha256": sent.sha256,
            "filename": sent.filename,
            "delimiter": sent.delimiter,
            "encoding": sent.encoding,
        },
        "result": {"bytes": job.result_bytes, "sha256": result_sha256, "repairs": job.repairs},
        "options": {name: _exact(value) for name, value in options.items()},
        "counts": {"rows": job.rows_total, "predicted": job.rows_done - job.rows_failed, "bad": job.rows_failed},
        "versions": {"rowcast": VERSION, "model": manifest.libraries},
    }


def _exact(value: Any) -> Any:
    is_exact = not isinstance(value, float) and (not isinstance(value, int) or abs(value) < _EXACT)
    return value if is_exact else str(value)
