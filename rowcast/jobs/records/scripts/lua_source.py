"""The text of the Lua scripts: constants that they share with Python, shared functions, and the script itself."""

from pathlib import Path

from rowcast.errors import PREFIX
from rowcast.jobs.chunk_tables import CONVERSION, HISTORY_ENTRY_BYTES, PART_ENTRY_BYTES, PLAN_ENTRY_BYTES
from rowcast.jobs.number_summary import MAX_BINS
from rowcast.jobs.records import policy, redis_keys, schema
from rowcast.jobs.records.celery_queues import (
    BATCH,
    CHUNK_TASK,
    MESSAGES_SENT,
    SINGLE,
    SINGLES_TASK,
    TAG_MARK,
    make_app,
    message_template,
)
from rowcast.jobs.states import TRANSITIONS, Status, UploadState
from rowcast.jobs.webhook.delivery import DeliveryState
from rowcast.jobs.webhook.delivery_schedule import GIVE_UP_SECONDS, LONGEST_PAUSE_SECONDS
from rowcast.settings import Settings

_FOLDER = Path(__file__).parent / "lua"

_SHARED = ("values", "log", "workers", "lines", "flight", "webhooks", "status", "uploads", "leases")
"""Files of `lua/shared` that come before every script; each may use the ones before it."""

_ALSO_SHARED = {
    "add_chunks": ("plan",),
    "add_converted": ("plan",),
    "end_conversion": ("ending",),
    "commit_chunk": ("revisions", "summary", "ending", "history"),
    "commit_rows": ("history",),
    "lease_chunk": ("revisions",),
    "repair": ("revisions",),
    "submit": ("ending",),
}
"""Further files of `lua/shared`, for the scripts that use them."""

_CHECKED = """\
local function checked(names)
  return setmetatable(names, {__index = function(_, name) error('no such name: ' .. tostring(name)) end})
end"""


class LuaSource:
    """Makes the whole text of each script for these settings."""

    def __init__(self, settings: Settings) -> None:
        constants = [_CHECKED, redis_keys.lua(), schema.lua(), *_states(), *_messages(settings), *_numbers(settings)]
        self._preamble = "\n".join([*constants, *map(_shared, _SHARED)])

    def of(self, name: str) -> str:
        """Returns the text of `lua/NAME.lua` with everything that it uses."""
        used = [_shared(other) for other in _ALSO_SHARED.get(name, ())]
        return "\n".join([self._preamble, *used, (_FOLDER / f"{name}.lua").read_text()])

    def with_shared(self, shared: str, script: str) -> str:
        """Returns the text of a script of a test, which uses the file `shared` of `lua/shared`."""
        return "\n".join([self._preamble, _shared(shared), script])


def _shared(name: str) -> str:
    return (_FOLDER / "shared" / f"{name}.lua").read_text()


def _states() -> list[str]:
    """Returns the table of states: `STATUS.queued`, `MAY[from][to]`, and `ENDED[status]` if the status is terminal."""
    names = ", ".join(f"{status} = '{status}'" for status in Status)
    moves = ", ".join(
        f"{source} = {{{', '.join(f'{target} = true' for target in sorted(targets))}}}"
        for source, targets in TRANSITIONS.items()
    )
    ended = ", ".join(f"{status} = true" for status in Status if status.is_terminal)
    uploads = ", ".join(f"{state} = '{state}'" for state in UploadState)
    deliveries = ", ".join(f"{state} = '{state}'" for state in DeliveryState)
    return [
        f"local STATUS = checked({{{names}}})",
        f"local MAY = checked({{{moves}}})",
        f"local ENDED = {{{ended}}}",
        f"local UPLOAD = checked({{{uploads}}})",
        f"local DELIVERY = checked({{{deliveries}}})",
        "local KIND = checked({single = 'single', batch = 'batch'})",
        f"local CONVERSION = '{CONVERSION}'",
    ]


def _messages(settings: Settings) -> list[str]:
    app = make_app(settings)
    return [
        f"local CHUNK_MESSAGE = [==[{message_template(app, CHUNK_TASK, BATCH)}]==]",
        f"local ROW_MESSAGE = [==[{message_template(app, SINGLES_TASK, SINGLE)}]==]",
        f"local TAG_MARK, MESSAGES_SENT = '{TAG_MARK}', '{MESSAGES_SENT}'",
        f"local PROBLEM_PREFIX, ENDED_CHANNEL = '{PREFIX}', '{redis_keys.ENDED_CHANNEL}'",
        "local PLAN_ENTRY_FORMAT = '<I8I4'  -- as chunk_tables.py packs the first row and the rows",
        "local HISTORY_ENTRY_FORMAT = '<I2I2I4'  -- as chunk_tables.py unpacks attempts, holder and milliseconds",
        "local PART_ENTRY_FORMAT = '<c16I4I4I4I4'  -- as chunk_tables.py packs digest, rows, bad rows and two lengths",
    ]


def _numbers(settings: Settings) -> list[str]:
    lease_ms, resend_ms = _ms(settings.lease_seconds), _ms(policy.RESEND_SECONDS)
    retention_ms, late_part_ms = _ms(settings.retention), policy.LATE_PART_LEASES * lease_ms
    numbers = {
        "LEASE_MS": lease_ms,
        "RESEND_MS": resend_ms,
        "LONGEST_WAIT_MS": max(lease_ms, _ms(policy.LONGEST_PAUSE_SECONDS)) + resend_ms,
        "RETENTION_MS": retention_ms,
        "CHECK_MS": _ms(policy.CHECK_SECONDS),
        "TOMBSTONE_SECONDS": 2 * retention_ms // 1000,
        "LATE_PART_MS": late_part_ms,
        "UPLOAD_TOMBSTONE_SECONDS": late_part_ms // 1000 + 1,
        "UPLOAD_SILENCE_MS": _ms(policy.UPLOAD_SILENCE_SECONDS),
        "RESUMABLE_SILENCE_MS": _ms(policy.RESUMABLE_SILENCE_SECONDS),
        "IDEMPOTENCY_SECONDS": policy.IDEMPOTENCY_SECONDS,
        "SILENT_MS": _ms(policy.SILENT_SECONDS),
        "CLAIM_MS": _ms(policy.CLAIM_SECONDS),
        "LONGEST_DELIVERY_PAUSE_MS": _ms(LONGEST_PAUSE_SECONDS),
        "GIVE_UP_MS": _ms(GIVE_UP_SECONDS),
        "WINDOW_LEAST": policy.WINDOW_LEAST,
        "WINDOW_PER_SLOT": policy.WINDOW_PER_SLOT,
        "WAKE_SECONDS": policy.WAKE_SECONDS,
        "PUBLISHED_BYTES": policy.PUBLISHED_BYTES,
        "STRIKES_ALLOWED": policy.STRIKES_ALLOWED,
        "STRIKES_OF_DEATH": policy.STRIKES_OF_DEATH,
        "REASONS_KEPT": policy.REASONS_KEPT,
        "LOG_KEPT": policy.LOG_KEPT,
        "HOLDERS_KEPT": policy.HOLDERS_KEPT,
        "THROUGHPUT_BUCKET_MS": _ms(policy.THROUGHPUT_BUCKET_SECONDS),
        "THROUGHPUT_BUCKETS": policy.THROUGHPUT_BUCKETS,
        "HISTORY_ENTRY_BYTES": HISTORY_ENTRY_BYTES,
        "MAX_BINS": MAX_BINS,
        "PLAN_ENTRY_BYTES": PLAN_ENTRY_BYTES,
        "PART_ENTRY_BYTES": PART_ENTRY_BYTES,
    }
    return [f"local {name} = {number}" for name, number in numbers.items()]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
