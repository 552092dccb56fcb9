"""Every Redis key: its name, what it holds and how long it lives, in one table. Lua gets the names from this table."""

from typing import NamedTuple


class Key(NamedTuple):
    """What there is to know about one key."""

    template: str
    """The key. It has at most one `{}`: an id, `NAME@VERSION` of a model, a digest, an owner, a process or a pool."""
    kind: str
    """The type of its value in Redis."""
    holds: str
    """What it holds, with the unit."""
    life: str
    """How long it lives."""


TABLE = {
    "job": Key("rowcast:job:{}", "hash", "the record of a job", "end + 2 retentions; a tombstone as long"),
    "plan": Key("rowcast:job:{}:plan", "string", "16 bytes per chunk: first row, rows, bytes", "until the files go"),
    "parts": Key("rowcast:job:{}:parts", "string", "32 bytes per chunk: digest, rows, sizes", "until the files go"),
    "in_flight": Key("rowcast:job:{}:in_flight", "hash", "chunk in flight → attempts, strikes", "until the job ends"),
    "summary": Key("rowcast:job:{}:summary", "hash", "counts of classes, or figures and bins", "as long as the record"),
    "drift_counts": Key(
        "rowcast:job:{}:drift_counts",
        "string",
        "4 bytes per bin: rows of the parts in it",
        "until it is compared",
    ),
    "drift": Key("rowcast:job:{}:drift", "string", "JSON: PSI and counts of its features", "as long as the record"),
    "shadow": Key(
        "rowcast:job:{}:shadow", "hash", "rows that a shadow has scored; its unfinished chunks", "as long as the record"
    ),
    "actuals": Key("rowcast:actuals:{}", "hash", "day and version of model NAME → its metrics, as JSON", "for ever"),
    "profile": Key("rowcast:profile:{}", "string", "JSON: the bins of NAME@VERSION's sample", "two days after use"),
    "last_drift": Key("rowcast:last_drift", "hash", "NAME@VERSION → drift of its last batch, as JSON", "for ever"),
    "log": Key("rowcast:job:{}:log", "list", "what happened to the job, as JSON, newest last", "as long as the record"),
    "history": Key(
        "rowcast:job:{}:history", "string", "8 bytes per scored chunk: attempts, holder, ms", "until the files go"
    ),
    "holders": Key("rowcast:job:{}:holders", "hash", "NODE/PID → its number in the history", "until the files go"),
    "outputs": Key(
        "rowcast:job:{}:outputs", "string", "32 bytes per part written to a URL: its SHA-256", "until the files go"
    ),
    "upload": Key("rowcast:upload:{}", "hash", "the record of a resumable upload", "until its end, then a day"),
    "segments": Key("rowcast:upload:{}:segments", "list", "length and token of each stored segment", "until its end"),
    "files": Key("rowcast:files", "hash", "id of a file of requests → its owner", "for ever"),
    "owned_files": Key("rowcast:files:{}", "hash", "id of a file of one API key → its bytes", "for ever"),
    "batch_file": Key(
        "rowcast:batch_file:{}", "string", "of ID-output or ID-errors: end of the batch (ms), length", "a retention"
    ),
    "file_batches": Key(
        "rowcast:file:{}:batches", "set", "ids of the batches of a file of requests", "retention + a week, renewed"
    ),
    "uploads": Key("rowcast:uploads", "hash", "owner → resumable uploads that are open; `*` is all", "for ever"),
    "jobs": Key("rowcast:jobs", "zset", "ids of all records, sorted by id and so by time", "for ever"),
    "owned": Key("rowcast:jobs:{}", "zset", "ids of the records of one API key", "for ever"),
    "due": Key("rowcast:due", "zset", "JOB/CHUNK in flight → time when upkeep checks it (ms)", "for ever"),
    "leases": Key("rowcast:leases", "hash", "JOB/CHUNK leased → attempt and holder", "for ever"),
    "waiting": Key(
        "rowcast:waiting:{}",
        "list",
        "ids of single jobs that wait for NAME@VERSION; after `POOL:` unless it is the default pool",
        "while any waits",
    ),
    "ready_owners": Key(
        "rowcast:ready:owners", "zset", "owner whose chunks wait → what its chunks have cost (ms)", "for ever"
    ),
    "ready_chunks": Key(
        "rowcast:ready:chunks",
        "zset",
        "JOB/CHUNK that waits for a process → its round: priority `normal`, without API keys",
        "for ever",
    ),
    "owned_chunks": Key(
        "rowcast:ready:chunks:{}",
        "zset",
        "the same of PRIORITY/OWNER, for any other priority and owner; after `POOL:` for any other pool",
        "for ever",
    ),
    "ready_models": Key("rowcast:ready:models", "zset", "NAME@VERSION with rows that wait → its round", "for ever"),
    "paused": Key(
        "rowcast:paused", "hash", "`all`, a kind of work or `model NAME` → since when it is paused (ms)", "for ever"
    ),
    "parked_chunks": Key("rowcast:parked:chunks", "zset", "JOB/CHUNK that waits and is paused → its round", "for ever"),
    "parked_models": Key(
        "rowcast:parked:models", "zset", "NAME@VERSION with rows that wait and are paused → its round", "for ever"
    ),
    "rounds": Key(
        "rowcast:rounds",
        "hash",
        "`chunks`, PRIORITY/OWNER, `models` → the round that is served; of each owner, turns and cost (ms); "
        "those of a pool after `POOL:`",
        "for ever",
    ),
    "lingering": Key("rowcast:lingering", "zset", "NODE/PID that waits for a row → its deadline (ms)", "for ever"),
    "wake": Key("rowcast:wake:{}", "list", "leased row for NODE/PID, or '' if other work has come", "a minute"),
    "deadlines": Key("rowcast:deadlines", "zset", "ids of jobs with `expires_in` → when they fail (ms)", "for ever"),
    "expiring": Key("rowcast:expiring", "zset", "ids of ended jobs → when their files go (ms)", "for ever"),
    "removing": Key("rowcast:removing", "zset", "id → time when its files are removed (ms)", "until removed"),
    "webhooks": Key("rowcast:webhooks", "zset", "ids of ended jobs → next attempt of their webhook (ms)", "for ever"),
    "live": Key("rowcast:live", "hash", "owner → jobs that have not ended; `*` is all", "for ever"),
    "totals": Key("rowcast:totals", "hash", "jobs and rows accepted and ended; messages sent and refused", "for ever"),
    "metrics": Key("rowcast:metrics", "hash", "`NAME LABELS` of a counter → count; milliseconds in sums", "for ever"),
    "indexed": Key("rowcast:indexed", "string", "`whole`: every job in the store has a record here", "for ever"),
    "throughput": Key("rowcast:throughput", "hash", "time by 5 s → rows that were scored in them", "the last minute"),
    "costs": Key("rowcast:costs", "hash", "NAME@VERSION → rows and processor time (µs) of late chunks", "for ever"),
    "wanted": Key(
        "rowcast:wanted", "zset", "a member for each worker process worth having → when it goes (ms)", "for ever"
    ),
    "workers": Key(
        "rowcast:workers",
        "zset",
        "NODE#SLOTS → time of the last heartbeat (ms); after `POOL/` unless it is in the default pool",
        "for ever",
    ),
    "worker": Key(
        "rowcast:worker:{}",
        "hash",
        "of NODE: uptime, memory, options it knows; models and connections of each process",
        "a minute",
    ),
    "unopenable": Key("rowcast:unopenable", "hash", "NODE → JSON: NAME@VERSION it cannot open → why", "a day after"),
    "idempotency": Key("rowcast:idempotency:{}", "string", "a job's id and the fingerprint of its request", "24 hours"),
    "reusable": Key(
        "rowcast:reusable:{}",
        "string",
        "id of the newest job with this file, model version and options",
        "2 retentions",
    ),
    "requests": Key("rowcast:requests:{}", "string", "requests of one API key, by the library limits", "2 minutes"),
    "batch": Key("rowcast.batch", "list", "Celery's queue of messages that chunks wait", "for ever"),
    "single": Key("rowcast.single", "list", "Celery's queue of messages that rows wait", "for ever"),
    "pools": Key("rowcast:pools", "zset", "pools besides the default one that had work or a worker → 0", "for ever"),
    "pool_owners": Key("rowcast:ready:owners:{}", "zset", "`rowcast:ready:owners` of a pool", "for ever"),
    "pool_models": Key(
        "rowcast:ready:models:{}", "zset", "POOL:NAME@VERSION with rows that wait → its round", "for ever"
    ),
    "pool_lingering": Key("rowcast:lingering:{}", "zset", "`rowcast:lingering` of a pool", "for ever"),
    "pool_wanted": Key("rowcast:wanted:{}", "zset", "`rowcast:wanted` of a pool", "for ever"),
    "pool_batch": Key("rowcast.batch.{}", "list", "`rowcast.batch` of a pool", "for ever"),
    "pool_single": Key("rowcast.single.{}", "list", "`rowcast.single` of a pool", "for ever"),
}

_PART = "' .. part .. '"
"""In Lua, what a template has in place of `{}`."""

ENDED_CHANNEL = "rowcast:ended"
"""Pub/sub channel. A message has a line for each job that has ended (`ID`), or has another part (`ID/part`)."""


def key(name: str, part: str = "") -> str:
    """Returns the Redis key that the table calls `name`, of one job, model, digest, owner or process."""
    return TABLE[name].template.format(part)


def pool_key(name: str, pool: str) -> str:
    """Returns what a pool has in place of `rowcast:ready:NAME` or `rowcast:NAME`; for the default pool, that itself."""
    if pool:
        return key(f"pool_{name}", pool)
    return key(f"ready_{name}" if name in ("owners", "models") else name)


def markdown() -> list[str]:
    """Returns the lines of the table for the documentation."""
    lines = ["| key | type | holds | life |", "| --- | --- | --- | --- |"]
    return [*lines, *(f"| `{key.template}` | {key.kind} | {key.holds} | {key.life} |" for key in TABLE.values())]


def lua_names() -> dict[str, str]:
    """Returns what the scripts write for each key, and its text in Lua: `K.jobs()` is `'rowcast:jobs'`.

    A key with a part is a function of `lua_functions`: `K.job(id)` calls `key_of_job(id)`.
    """
    fixed = {f"{name}()": f"'{entry.template}'" for name, entry in TABLE.items() if "{}" not in entry.template}
    return fixed | {name: f"key_of_{name}" for name, entry in TABLE.items() if "{}" in entry.template}


def lua_functions() -> str:
    """Returns the Lua functions that make the keys with a part."""
    return "\n".join(
        f"local function key_of_{name}(part) return '{entry.template.replace('{}', _PART)}' end"
        for name, entry in TABLE.items()
        if "{}" in entry.template
    )
