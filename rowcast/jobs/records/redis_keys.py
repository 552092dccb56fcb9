"""Every Redis key: its name in one place, what it holds, how long it lives. Lua gets the same names from this table."""

from typing import NamedTuple

from rowcast.jobs.states import TRANSITIONS


class Key(NamedTuple):
    """`template` has at most one `{}`: a job's id, or a model's `NAME@VERSION`, or a digest, or a process."""

    template: str
    kind: str
    holds: str
    life: str


TABLE = {
    "job": Key("rowcast:job:{}", "hash", "the record of a job", "end + 2 retentions; a tombstone as long"),
    "plan": Key("rowcast:job:{}:plan", "string", "16 bytes a chunk: first row, rows, bytes", "until the files go"),
    "parts": Key("rowcast:job:{}:parts", "string", "32 bytes a chunk: sizes, rows, digest", "until the files go"),
    "in_flight": Key("rowcast:job:{}:in_flight", "hash", "chunk in flight → attempts, strikes", "while it runs"),
    "summary": Key("rowcast:job:{}:summary", "hash", "counts of classes, or figures and bins", "as the record"),
    "jobs": Key("rowcast:jobs", "zset", "ids of all records, by id, which is by time", "for ever"),
    "owned": Key("rowcast:jobs:{}", "zset", "ids of one key's records", "for ever"),
    "due": Key("rowcast:due", "zset", "JOB/CHUNK in flight → when upkeep looks at it again (ms)", "for ever"),
    "leases": Key("rowcast:leases", "hash", "JOB/CHUNK leased → attempt and holder", "for ever"),
    "waiting": Key("rowcast:waiting:{}", "list", "ids of single jobs that wait for a model version", "while any waits"),
    "ready_chunks": Key("rowcast:ready:chunks", "zset", "JOB/CHUNK that waits for a process → its round", "for ever"),
    "ready_models": Key("rowcast:ready:models", "zset", "NAME@VERSION with rows that wait → its round", "for ever"),
    "rounds": Key("rowcast:rounds", "hash", "`chunks`, `models` → the round that is served", "for ever"),
    "lingering": Key("rowcast:lingering", "zset", "NODE/PID that waits for single rows → until when (ms)", "for ever"),
    "wake": Key(
        "rowcast:wake:{}",
        "list",
        "the row that NODE/PID is given, with its lease; '' calls it to other work",
        "a minute",
    ),
    "expiring": Key("rowcast:expiring", "zset", "ids of ended jobs → when their files go (ms)", "for ever"),
    "removing": Key("rowcast:removing", "zset", "ids whose files are removed then (ms)", "until they are"),
    "live": Key("rowcast:live", "hash", "owner → jobs that have not ended; `*` is all", "for ever"),
    "totals": Key(
        "rowcast:totals",
        "hash",
        "what was taken in and how it ended, in jobs and rows; hints sent, messages refused",
        "for ever",
    ),
    "indexed": Key("rowcast:indexed", "string", "`whole`: all jobs of the store have records here", "for ever"),
    "workers": Key("rowcast:workers", "zset", "NODE#SLOTS → last sign of life (ms)", "for ever"),
    "unopenable": Key(
        "rowcast:unopenable", "hash", "NODE → JSON: NAME@VERSION that this worker cannot open → why", "a day after"
    ),
    "idempotency": Key("rowcast:idempotency:{}", "string", "job's id and the request's fingerprint", "24 hours"),
    "requests": Key("rowcast:requests:{}", "string", "requests of one API key, by the library limits", "2 minutes"),
    "batch": Key("rowcast.batch", "list", "Celery's queue of hints that chunks wait", "for ever"),
    "single": Key("rowcast.single", "list", "Celery's queue of hints that rows wait", "for ever"),
}

ENDED_CHANNEL = "rowcast:ended"
"""Pub/sub: a message has a line for each job that has just ended, or (`ID/part`) has a part more (`tell` in Lua)."""


def key(name: str, part: str = "") -> str:
    """The key called `name` in the table, for one job, model or digest."""
    return TABLE[name].template.format(part)


def lua() -> str:
    """The same names, and the table of states, as Lua: `K.job(id)`, `MAY[from][to]`."""
    names = [
        f"  {name} = function(part) return {entry.template.replace('{}', chr(0))!r} end,".replace(
            "\\x00", "' .. part .. '"
        )
        for name, entry in TABLE.items()
    ]
    moves = [
        f"  {source} = {{{', '.join(f'{target} = true' for target in sorted(targets))}}},"
        for source, targets in TRANSITIONS.items()
    ]
    ended = ", ".join(f"{status} = true" for status in TRANSITIONS if status.is_terminal)
    return "\n".join(
        [
            *("local K = {", *names, "}"),
            *("local MAY = {", *moves, "}"),
            f"local ENDED = {{{ended}}}",
            f"local ENDED_CHANNEL = {ENDED_CHANNEL!r}",
        ]
    )
