"""Makes the receipt of a job when it is asked for first, and keeps it in the job's record.

The hash of the result takes a read of all its parts. Later requests get the receipt that is kept, byte for byte, for as
long as the record lives. A repair removes it, because there is another result then.
"""

import hashlib
import json

from api.output.responses import POLL_AFTER_SECONDS
from api.output.result_bytes import ResultBytes
from api.receipts.receipt_document import unsigned_receipt
from api.services import Services
from api.threaded_storage import in_thread
from rowcast.errors import JobExpired, JobUnfinished, NoReceipt, NoReceiptKey, NoResult, Restoring, UnknownModel
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status
from rowcast.models.model_manifest import Manifest
from rowcast.receipts.signed_document import sign

_ATTEMPTS = 3
"""How often a result is hashed, if the job is repaired meanwhile."""


def receipt_of(services: Services, job: Job) -> str:
    """Returns the signed receipt of a batch job as JSON. Of one job only one request at a time hashes the result.

    Raises:
        NoReceipt: it is a single job, or its model was removed. NoReceiptKey: the gateway has no key.
        JobUnfinished, NoResult: it has not succeeded. JobExpired: its files were removed before.
        Restoring, ResultLost, Unavailable: the result cannot be read.
    """
    if job.receipt is not None and job.status in (Status.SUCCEEDED, Status.EXPIRED):
        return job.receipt
    keys = services.receipts.keys
    if keys is None:
        raise NoReceiptKey("This gateway cannot sign receipts: ROWCAST_RECEIPT_KEY_FILE is not set.")
    _require_result(job)
    with services.receipts.only_one(job.id):
        for _ in range(_ATTEMPTS):
            job = services.records.get(job.id)
            if job.receipt is not None:
                return job.receipt
            _require_result(job)
            document = unsigned_receipt(job, _manifest(services, job), _hash(services, job))
            if kept := services.records.keep_receipt(job, json.dumps(sign(document, keys))):
                return kept
    raise Restoring(f"The result of job {job.id} changed while it was read.")


def _require_result(job: Job) -> None:
    if job.is_single:
        raise NoReceipt(f"Job {job.id} is a single job. Receipts are for files: send its row as a CSV.")
    if job.spec.by_url is not None:
        raise NoReceipt(
            f"Job {job.id} read its files by URL, so the SHA-256 of its input is not known. Send a file in the request "
            "if it needs a receipt. The `manifest.json` of an `output_url` has the SHA-256 of each part."
        )
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The files of job {job.id} have expired, and its receipt was not asked for before.")
    if job.status in (Status.FAILED, Status.CANCELLED):
        ended = "failed" if job.status is Status.FAILED else "was cancelled"
        raise NoResult(f"Job {job.id} {ended}, so there is nothing to give a receipt for.", job.error)
    if not job.status.is_terminal:
        raise JobUnfinished(
            f"Job {job.id} is {job.status}. Its receipt can be made when it has succeeded.", None, POLL_AFTER_SECONDS
        )


def _manifest(services: Services, job: Job) -> Manifest:
    model = job.spec.model
    try:
        return services.registry.manifest(model.name, model.version)
    except UnknownModel:
        raise NoReceipt(f"{model} was removed from the registry, so the digest of the model is not known.") from None


def _hash(services: Services, job: Job) -> str:
    """Returns the SHA-256 of the result, in hexadecimal. Holds one block of a part in memory at a time."""
    content = ResultBytes(services, job)
    content.prefetch()
    seen = hashlib.sha256()
    for block in content:
        in_thread(seen.update, block)
    return seen.hexdigest()
