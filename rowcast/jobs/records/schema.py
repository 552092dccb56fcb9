"""Every field of a job's record, the hash `rowcast:job:ID`: its name, type, writer and meaning, in one table.

Lua gets the names from this table, as `F.status`. Times are milliseconds since 1970, UTC. A tombstone, which is left of
a deleted job, has only `status` and `owner`. A second table has the fields of a resumable upload's record, the hash
`rowcast:upload:ID`, which Lua calls for example `U.offset`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class JobField(StrEnum):
    """The name of a field, for example `JobField.ROWS_DONE`. It is equal to its text, `"rows_done"`."""

    STATUS = "status"
    OWNER = "owner"
    KIND = "kind"
    MODEL = "model"
    SPEC = "spec"
    ORIGIN = "origin"
    ROWS = "rows"
    CHUNKS = "chunks"
    VALUES = "values"
    EXTRAS = "extras"
    MAX_ERRORS = "max_errors"
    FAIL_IF_DRIFT = "fail_if_drift"
    IS_CHECK = "is_check"
    PRIORITY = "priority"
    EXPIRES_IN = "expires_in"
    POOL = "pool"
    CONVERTING = "converting"
    RANGES = "ranges"
    NEXT_RANGE = "next_range"
    RANGES_DONE = "ranges_done"
    OUTPUT = "output"
    STARTED_MS = "started_ms"
    FINISHED_MS = "finished_ms"
    ROWS_DONE = "rows_done"
    ROWS_FAILED = "rows_failed"
    CHUNKS_DONE = "chunks_done"
    PART_BYTES = "part_bytes"
    ERROR_BYTES = "error_bytes"
    RESULT = "result"
    ERROR = "error"
    REASONS = "reasons"
    VERDICT = "verdict"
    NEXT_CHUNK = "next_chunk"
    ROUND = "round"
    CHUNKS_AT_END = "chunks_at_end"
    LOST_CHUNK = "lost_chunk"
    FAILED_CHUNK = "failed_chunk"
    CPU_US = "cpu_us"
    LEASES = "leases"
    REPAIRS = "repairs"
    REVISIONS = "revisions"
    REPAIRING = "repairing"
    RECEIPT = "receipt"
    PARQUET = "parquet"
    ATTEMPTS = "attempts"
    STRIKES = "strikes"
    POSTPONED = "postponed"
    WEBHOOK = "webhook"
    WEBHOOK_ENDS = "webhook_ends"
    WEBHOOK_ATTEMPTS = "webhook_attempts"
    WEBHOOK_LAST = "webhook_last"
    WEBHOOK_NEXT_MS = "webhook_next_ms"


OUTPUT_LEFT, OUTPUT_WRITTEN = "left", "written"
"""The values of the field `output`."""


class Field(NamedTuple):
    """What there is to know about one field."""

    jobs: str
    """The kind of jobs that have it: `both`, `batch` or `single`."""
    type: str
    """How its text is read, for example `integer` or `JSON`."""
    writers: str
    """The scripts that write it (`rowcast/jobs/records/scripts/lua/`), or the shared function in backquotes."""
    meaning: str
    """What it says, with its unit."""


_F = JobField

TABLE: dict[JobField, Field] = {
    _F.STATUS: Field("both", "a status", "`set_status`", "state of the job (`rowcast/jobs/states.py`)"),
    _F.OWNER: Field("both", "text", "submit, submit_row", "name of the API key that made the job; empty without keys"),
    _F.KIND: Field(
        "both", "text", "submit, submit_row, add_chunks", "`single` (one row, in `values`) or `batch` (a file)"
    ),
    _F.MODEL: Field(
        "both",
        "text",
        "submit, submit_row, add_chunks",
        "model version that the job is pinned to: `NAME@VERSION`; two with a comma",
    ),
    _F.SPEC: Field(
        "both",
        "JSON",
        "submit, submit_row, add_chunks, add_converted",
        "what was asked for (`Spec` in `rowcast/jobs/job.py`)",
    ),
    _F.ORIGIN: Field("single", "text", "submit_row", "id and `traceparent` of the request; a batch has both in `spec`"),
    _F.ROWS: Field("both", "integer", "submit, submit_row, add_chunks, add_converted", "number of data rows"),
    _F.CHUNKS: Field(
        "both", "integer", "submit, submit_row, add_chunks, add_converted", "number of chunks (that have arrived)"
    ),
    _F.VALUES: Field("single", "JSON", "submit_row", "values of the row, in the order of the model's features"),
    _F.EXTRAS: Field("single", "text", "submit_row", "what it asks for, for example `probabilities,top=3`"),
    _F.MAX_ERRORS: Field("batch", "integer", "submit, add_chunks", "the job fails if more rows than this are bad"),
    _F.FAIL_IF_DRIFT: Field("batch", "number", "submit, add_chunks", "the job fails if a feature's PSI reaches this"),
    _F.IS_CHECK: Field("batch", "`1`", "submit, add_chunks", "the job serves a check, and goes soon after its end"),
    _F.PRIORITY: Field("batch", "text", "submit, add_chunks", "`low` or `high`; absent if `normal`"),
    _F.EXPIRES_IN: Field(
        "both", "seconds", "submit, submit_row, add_chunks", "how long the job may take; absent if as long as it needs"
    ),
    _F.POOL: Field("both", "text", "submit, submit_row, add_chunks", "the job's pool; absent if it is the default one"),
    _F.CONVERTING: Field(
        "batch", "`1`", "submit", "until a worker has converted the file: `rows`, `chunks` still grow"
    ),
    _F.RANGES: Field("batch", "integer", "split_plan", "ranges of the files of a job by URL"),
    _F.NEXT_RANGE: Field("batch", "integer", "`top_up_ranges`", "first range that was never in flight"),
    _F.RANGES_DONE: Field("batch", "integer", "end_range", "ranges that are scanned"),
    _F.OUTPUT: Field(
        "batch", "text", "submit, end_output, repair", "`left` until the manifest is at the URL, then `written`"
    ),
    _F.STARTED_MS: Field(
        "both", "ms", "lease_chunk, take, submit, submit_row", "time of the first lease, or the first since a retry"
    ),
    _F.FINISHED_MS: Field("both", "ms", "`finish`", "time of the end; absent before"),
    _F.ROWS_DONE: Field("both", "integer", "commit_chunk, commit_rows", "rows that are counted, the bad ones included"),
    _F.ROWS_FAILED: Field("both", "integer", "commit_chunk, commit_rows", "bad rows among them"),
    _F.CHUNKS_DONE: Field("batch", "integer", "commit_chunk", "chunks that are counted"),
    _F.PART_BYTES: Field("batch", "bytes", "commit_chunk", "length of all parts, without the header line"),
    _F.ERROR_BYTES: Field("batch", "bytes", "commit_chunk", "length of all files of bad rows"),
    _F.RESULT: Field("single", "JSON", "commit_rows", "the prediction (`RowResult` in `rowcast/jobs/job.py`)"),
    _F.ERROR: Field("both", "JSON", "`finish`", "problem of a failed job: type, detail, errors"),
    _F.REASONS: Field("batch", "JSON", "commit_chunk", "while all rows are bad: message → rows and an example"),
    _F.VERDICT: Field("batch", "a status", "`finish`", "during an upload: how the job will end"),
    _F.NEXT_CHUNK: Field("batch", "integer", "`top_up`", "first chunk that was never in flight"),
    _F.ROUND: Field("batch", "integer", "`put_in_flight`", "round of the newest chunk in flight"),
    _F.CHUNKS_AT_END: Field("batch", "text", "`finish`", "chunks in flight at the end and attempts: `3 1 4 2`"),
    _F.LOST_CHUNK: Field("batch", "integer", "commit_chunk, resend, release", "chunk that has lost its part for good"),
    _F.FAILED_CHUNK: Field("both", "integer", "`strike`", "chunk (or row, 0) whose strikes failed the job"),
    _F.CPU_US: Field(
        "batch", "µs", "commit_chunk, end_conversion", "processor time of all parts, of the process that scored them"
    ),
    _F.LEASES: Field("batch", "integer", "lease_chunk", "leases of all chunks so far"),
    _F.REPAIRS: Field("batch", "integer", "repair, submit", "how often bad rows were corrected; absent if never"),
    _F.REVISIONS: Field(
        "batch", "JSON", "repair, submit", "corrected chunk → its revision, which its files are named after"
    ),
    _F.REPAIRING: Field("batch", "JSON", "repair, commit_chunk", "chunk that is scored again → its revision before"),
    _F.RECEIPT: Field(
        "batch", "JSON", "keep_receipt, repair", "the signed receipt of the present result, if asked for"
    ),
    _F.PARQUET: Field(
        "batch", "JSON", "commit_parquet", "the result as Parquet (`ParquetFile`); empty if it could not be written"
    ),
    _F.ATTEMPTS: Field("single", "integer", "take, submit_row", "leases of the row so far"),
    _F.STRIKES: Field("single", "integer", "release, resend", "strikes against the row; 10 fail the job"),
    _F.POSTPONED: Field("single", "`1`", "release", "the row waits until its delay is over"),
    _F.WEBHOOK: Field(
        "both",
        "a state",
        "submit, submit_row, add_chunks, settle_delivery, `begin_delivery`, `drop_delivery`",
        "state of the delivery to its webhook",
    ),
    _F.WEBHOOK_ENDS: Field(
        "both", "integer", "`begin_delivery`", "how often the job has ended: part of a `webhook-id`"
    ),
    _F.WEBHOOK_ATTEMPTS: Field(
        "both", "integer", "claim_deliveries, settle_delivery", "attempts to deliver the last end"
    ),
    _F.WEBHOOK_LAST: Field("both", "JSON", "settle_delivery", "the last attempt (`Attempt` in `webhook/delivery.py`)"),
    _F.WEBHOOK_NEXT_MS: Field("both", "ms", "`schedule_delivery`", "time of the next attempt; absent if there is none"),
}


class UploadField(StrEnum):
    """The name of a field in the record of a resumable upload."""

    STATE = "state"
    OWNER = "owner"
    OFFSET = "offset"
    LENGTH = "length"
    HOLDER = "holder"
    REQUEST = "request"
    JOB = "job"
    REASON = "reason"


_U = UploadField

UPLOAD_TABLE: dict[UploadField, tuple[str, str]] = {
    _U.STATE: ("a state", "`UploadState` in `rowcast/jobs/states.py`"),
    _U.OWNER: ("text", "name of the API key that created it; empty without keys"),
    _U.OFFSET: ("bytes", "how much of the file is stored and listed in `rowcast:upload:ID:segments`"),
    _U.LENGTH: ("bytes", "length of the file, if the sender has said it"),
    _U.HOLDER: ("text", "token of the only request that may append"),
    _U.REQUEST: ("JSON", "what was asked for (`StoredRequest` in `rowcast/jobs/request.py`), while it is open"),
    _U.JOB: ("an id", "the job that a complete upload led to"),
    _U.REASON: ("text", "why it was refused"),
}
"""Type and meaning of each field."""

Record = Mapping[str, bytes]
"""A job's record as Redis has it, under the names of this table."""


def named(record: Mapping[bytes, bytes]) -> Record:
    """Returns what HGETALL read, with the names as text."""
    return {name.decode(): value for name, value in record.items()}


def markdown() -> list[str]:
    """Returns the lines of the table for the documentation."""
    lines = ["| field | of | type | written by | meaning |", "| --- | --- | --- | --- | --- |"]
    return [*lines, *(f"| `{name}` | {' | '.join(field)} |" for name, field in TABLE.items())]


def upload_markdown() -> list[str]:
    """Returns the lines of the table of a resumable upload's fields for the documentation."""
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    return [*lines, *(f"| `{name}` | {type} | {meaning} |" for name, (type, meaning) in UPLOAD_TABLE.items())]
