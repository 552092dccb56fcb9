"""The text of the Lua scripts: constants that they share with Python, shared functions, and the script itself."""

from collections.abc import Iterable
from pathlib import Path

from rowcast.errors import PREFIX
from rowcast.jobs.chunk_tables import CONVERSION, FIRST_RANGE, HISTORY_ENTRY_BYTES, PART_ENTRY_BYTES, PLAN_ENTRY_BYTES
from rowcast.jobs.drift.drift_figures import FEATURES_KEPT, FEATURES_NAMED, LEAST_SHARE
from rowcast.jobs.number_summary import MAX_BINS
from rowcast.jobs.option_table import PRIORITIES
from rowcast.jobs.records import policy, redis_keys
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
from rowcast.jobs.records.metric_fields import MetricField, lua_buckets
from rowcast.jobs.records.schema import OUTPUT_LEFT, OUTPUT_WRITTEN, JobField, UploadField
from rowcast.jobs.records.scripts.lua_linker import LuaLinker
from rowcast.jobs.states import TRANSITIONS, Status, UploadState
from rowcast.jobs.webhook.delivery import DeliveryState
from rowcast.jobs.webhook.delivery_schedule import GIVE_UP_SECONDS, LONGEST_PAUSE_SECONDS
from rowcast.models.drift.profile import LEAST_ROWS
from rowcast.settings import Settings

_FOLDER = Path(__file__).parent / "lua"

_SHARED = (
    "values",
    "metrics",
    "log",
    "plan",
    "pauses",
    "pools",
    "workers",
    "lines",
    "flight",
    "webhooks",
    "status",
    "admission",
    "files",
    "uploads",
    "leases",
    "drift",
    "ending",
    "revisions",
    "summary",
    "history",
    "shadow",
)
"""Files of `lua/shared`; each may use the ones before it."""


class LuaSource:
    """Makes the whole text of each script for these settings."""

    def __init__(self, settings: Settings) -> None:
        shared = ((_FOLDER / "shared" / f"{name}.lua").read_text() for name in _SHARED)
        constants = [redis_keys.lua_functions(), *_states(), *_messages(settings), *_numbers(settings)]
        self._linker = LuaLinker("\n".join([*constants, *shared]), _names())

    def of(self, name: str) -> str:
        """Returns the text of `lua/NAME.lua` with everything that it uses."""
        return self.linked((_FOLDER / f"{name}.lua").read_text())

    def linked(self, script: str) -> str:
        """Returns the text of a script with everything that it uses."""
        return self._linker.link(script)


def _names() -> dict[str, dict[str, str]]:
    """Returns the tables of names that a script may use, for example `STATUS.queued` and `K.job(id)`."""
    kinds = ("single", "batch")
    tables: dict[str, Iterable[str]] = {
        "F": JobField,
        "U": UploadField,
        "STATUS": Status,
        "UPLOAD": UploadState,
        "DELIVERY": DeliveryState,
        "M": MetricField,
        "PRIORITY": PRIORITIES,
    }
    names = {table: {str(name): f"'{name}'" for name in members} for table, members in tables.items()}
    return names | {"KIND": {kind: f"'{kind}'" for kind in kinds}, "K": redis_keys.lua_names()}


def _states() -> list[str]:
    """Returns the table of states: `MAY[from .. ' ' .. to]`, and `ENDED[status]` if the status is terminal."""
    moves = ", ".join(
        f"['{source} {target}'] = true" for source, targets in TRANSITIONS.items() for target in sorted(targets)
    )
    ended = ", ".join(f"{status} = true" for status in Status if status.is_terminal)
    return [
        f"local METRIC_BUCKETS_MS = {lua_buckets()}",
        f"local MAY = {{{moves}}}",
        f"local ENDED = {{{ended}}}",
        f"local CONVERSION = '{CONVERSION}'",
        f"local OUTPUT_LEFT, OUTPUT_WRITTEN = '{OUTPUT_LEFT}', '{OUTPUT_WRITTEN}'",
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
        "FILE_BATCHES_SECONDS": retention_ms // 1000 + policy.FILE_BATCHES_SECONDS,
        "UNMADE_BATCH_MS": _ms(policy.UNMADE_BATCH_SECONDS),
        "IDEMPOTENCY_SECONDS": policy.IDEMPOTENCY_SECONDS,
        "SILENT_MS": _ms(policy.SILENT_SECONDS),
        "CLAIM_MS": _ms(policy.CLAIM_SECONDS),
        "LONGEST_DELIVERY_PAUSE_MS": _ms(LONGEST_PAUSE_SECONDS),
        "GIVE_UP_MS": _ms(GIVE_UP_SECONDS),
        "WINDOW_LEAST": policy.WINDOW_LEAST,
        "WINDOW_PER_SLOT": policy.WINDOW_PER_SLOT,
        "NORMAL_TURNS": policy.NORMAL_TURNS,
        "LOW_TURNS": policy.LOW_TURNS,
        "CHUNK_MS": _ms(policy.CHUNK_SECONDS),
        "UNPLANNED_CHUNK_MS": _ms(policy.UNPLANNED_CHUNK_SECONDS),
        "UNMEASURED_ROW_US": policy.UNMEASURED_ROW_SECONDS * 1_000_000,
        "WAKE_SECONDS": policy.WAKE_SECONDS,
        "PUBLISHED_BYTES": policy.PUBLISHED_BYTES,
        "STRIKES_ALLOWED": policy.STRIKES_ALLOWED,
        "STRIKES_OF_DEATH": policy.STRIKES_OF_DEATH,
        "REASONS_KEPT": policy.REASONS_KEPT,
        "LOG_KEPT": policy.LOG_KEPT,
        "HOLDERS_KEPT": policy.HOLDERS_KEPT,
        "THROUGHPUT_BUCKET_MS": _ms(policy.THROUGHPUT_BUCKET_SECONDS),
        "THROUGHPUT_BUCKETS": policy.THROUGHPUT_BUCKETS,
        "COST_KEPT": policy.COST_KEPT,
        "HISTORY_ENTRY_BYTES": HISTORY_ENTRY_BYTES,
        "MAX_BINS": MAX_BINS,
        "LEAST_DRIFT_ROWS": LEAST_ROWS,
        "LEAST_SHARE": LEAST_SHARE,
        "DRIFT_FEATURES_KEPT": FEATURES_KEPT,
        "DRIFT_FEATURES_NAMED": FEATURES_NAMED,
        "SHADOWS_UNFINISHED": policy.SHADOWS_UNFINISHED,
        "PROFILE_SECONDS": policy.PROFILE_SECONDS,
        "PLAN_ENTRY_BYTES": PLAN_ENTRY_BYTES,
        "PART_ENTRY_BYTES": PART_ENTRY_BYTES,
        "FIRST_RANGE": FIRST_RANGE,
    }
    return [f"local {name} = {number}" for name, number in numbers.items()]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
