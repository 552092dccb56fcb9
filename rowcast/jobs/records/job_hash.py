"""A job's hash in Redis: what a new job writes into it, and the job that it describes (fields: `schema.py`)."""

import json
from collections.abc import Mapping
from typing import Any

from rowcast.jobs.drift.batch_drift import read_drift
from rowcast.jobs.job import Job, ParquetFile, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.option_table import OPTIONS
from rowcast.jobs.options import RowExtras
from rowcast.jobs.records.schema import OUTPUT_LEFT, JobField, Record
from rowcast.jobs.shadow.shadow_counts import ShadowCounts
from rowcast.jobs.states import Status
from rowcast.jobs.summary import render_fields
from rowcast.jobs.webhook.delivery import Delivery, DeliveryState
from rowcast.tracing.origin import Origin

_IN_ORIGIN = set(Origin._fields)
"""Members of the spec that a single job has in the field `origin`, which the script that leases its row reads."""


def fields_of(new: NewJob) -> dict[JobField, str | int]:
    """Returns the fields that a new job's record starts with, besides its status and owner."""
    record: dict[JobField, str | int] = {
        JobField.KIND: new.spec.kind,
        JobField.MODEL: new.spec.known_as,
        JobField.SPEC: new.spec.model_dump_json(
            exclude_defaults=True, exclude=_IN_ORIGIN if new.values is not None else None
        ),
        JobField.ROWS: new.rows,
        JobField.CHUNKS: new.chunks,
    }
    if new.values is not None:
        record[JobField.VALUES] = json.dumps(new.values)
        if any(new.spec.origin):
            record[JobField.ORIGIN] = str(new.spec.origin)
        if extras := str(RowExtras.of(new.spec.options)):
            record[JobField.EXTRAS] = extras
    else:
        limits = {JobField.MAX_ERRORS: new.max_errors, JobField.FAIL_IF_DRIFT: new.spec.options.fail_if_drift}
        record |= {name: str(limit) for name, limit in limits.items() if limit is not None}
    if new.spec.is_check:
        record[JobField.IS_CHECK] = 1
    elif new.spec.options.webhook is not None:
        record[JobField.WEBHOOK] = DeliveryState.WAITING
    if new.values is None and new.spec.options.priority != OPTIONS["priority"].default:
        record[JobField.PRIORITY] = new.spec.options.priority
    if new.spec.options.expires_in is not None:
        record[JobField.EXPIRES_IN] = new.spec.options.expires_in
    if new.spec.pool:
        record[JobField.POOL] = new.spec.pool
    if new.is_converting:
        record[JobField.CONVERTING] = 1
    if new.spec.by_url is not None and new.spec.by_url.output_url is not None:
        record[JobField.OUTPUT] = OUTPUT_LEFT
    if new.revisions:
        record[JobField.REPAIRS] = new.repairs
        record[JobField.REVISIONS] = json.dumps(new.revisions)
    return record


def spec_in(record: Record) -> Spec:
    """Returns the spec of a job."""
    spec = Spec.read(record[JobField.SPEC])
    if JobField.ORIGIN not in record:
        return spec
    return spec.model_copy(update=Origin.read(record[JobField.ORIGIN].decode())._asdict())


def origin_in(spec: bytes | None, origin: bytes | None) -> Origin:
    """Returns the origin of a job, given these two fields of its record; None if it lacks one."""
    if origin is not None:
        return Origin.read(origin.decode())
    known = json.loads(spec or b"{}")
    return Origin(*(known.get(name, "") for name in Origin._fields))


def status_in(record: Record) -> Status:
    """Returns the status of a job, or of the tombstone that is left of it."""
    return Status(record[JobField.STATUS].decode())


def _delivery_in(record: Record) -> Delivery | None:
    """Returns how far the webhook of a job is, if it has one."""
    if JobField.WEBHOOK not in record:
        return None
    last, next_ms = record.get(JobField.WEBHOOK_LAST), record.get(JobField.WEBHOOK_NEXT_MS)
    return Delivery(
        state=DeliveryState(record[JobField.WEBHOOK].decode()),
        attempts=int(record.get(JobField.WEBHOOK_ATTEMPTS, 0)),
        last=None if last is None else json.loads(last),
        next_ms=None if next_ms is None else int(next_ms),
    )


def read_job(
    id: str,
    record: Record,
    summary: Mapping[bytes, bytes],
    retention_ms: int,
    drift: bytes | None = None,
    *,
    shadow: Mapping[bytes, bytes] | None = None,
) -> Job:
    """Returns the job of a record that is neither a tombstone nor of an upload.

    `summary` has the fields of a batch's summary; `retention_ms` is the time from the end until the files are removed.
    `drift` is what the script that compared the batch has written, and `shadow` what others have counted.
    """

    def number(name: JobField) -> int:
        return int(record.get(name, 0))

    def optional(name: JobField) -> int | None:
        return int(record[name]) if name in record else None

    def document(name: JobField) -> Any:
        return json.loads(record[name]) if name in record else None

    finished_ms, spec = optional(JobField.FINISHED_MS), spec_in(record)
    return Job(
        id=id,
        owner=record[JobField.OWNER].decode(),
        status=status_in(record),
        spec=spec,
        rows_total=number(JobField.ROWS),
        rows_done=number(JobField.ROWS_DONE),
        rows_failed=number(JobField.ROWS_FAILED),
        chunks_total=number(JobField.CHUNKS),
        chunks_done=number(JobField.CHUNKS_DONE),
        is_converting=JobField.CONVERTING in record,
        ranges_total=number(JobField.RANGES),
        ranges_done=number(JobField.RANGES_DONE),
        started_ms=optional(JobField.STARTED_MS),
        finished_ms=finished_ms,
        expires_ms=None if finished_ms is None else finished_ms + retention_ms,
        part_bytes=number(JobField.PART_BYTES),
        error_bytes=number(JobField.ERROR_BYTES),
        result=document(JobField.RESULT),
        error=document(JobField.ERROR),
        summary=render_fields(summary) if summary else None,
        drift=read_drift(drift) if drift else None,
        shadow=None if shadow is None or spec.shadow is None else ShadowCounts.of_fields(shadow),
        cpu_seconds=number(JobField.CPU_US) / 1_000_000,
        attempts=number(JobField.LEASES),
        repairs=number(JobField.REPAIRS),
        revisions={int(chunk): revision for chunk, revision in (document(JobField.REVISIONS) or {}).items()},
        lost_chunk=optional(JobField.LOST_CHUNK),
        delivery=_delivery_in(record),
        receipt=record[JobField.RECEIPT].decode() if JobField.RECEIPT in record else None,
        parquet=ParquetFile.model_validate_json(record[JobField.PARQUET]) if record.get(JobField.PARQUET) else None,
        parquet_failed=record.get(JobField.PARQUET) == b"",
    )
