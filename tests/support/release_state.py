"""What a release left in Redis and in its store, as one small file. `tools/release_snapshot.py` writes it."""

import base64
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key

FILE = Path(__file__).parents[1] / "stack" / "release.json.gz"

TIMES = ("due", "removing", "expiring", "webhooks", "deadlines")
"""Sorted sets of times (ms). They are moved, so that no more time has passed than a restart takes."""


@dataclass(frozen=True)
class ReleaseState:
    """The state of a service whose programs were ended at one moment."""

    #: The commit whose programs made it.
    commit: str
    #: When it was taken: milliseconds since 1970, UTC.
    taken_ms: int
    #: Key, type, time to live (ms, -1 for ever) and value of everything in Redis. Bytes are written as Latin-1.
    keys: list[tuple[str, str, int, Any]]
    #: Path in the store → content, in base64.
    files: dict[str, str]
    #: What the jobs are called in the test → id of the job, or path of the upload.
    jobs: dict[str, str]

    @classmethod
    def taken(cls, commit: str, redis: RedisClient, store: Path, jobs: dict[str, str]) -> "ReleaseState":
        """Takes the state of a service that has stopped."""
        keys = []
        for name in sorted(redis.scan_iter()):
            kind = redis.type(name).decode()
            keys.append((_text(name), kind, redis.pttl(name), _value(redis, name, kind)))
        files = {
            str(file.relative_to(store)): base64.b64encode(file.read_bytes()).decode()
            for file in sorted(store.rglob("*"))
            if file.is_file()
        }
        return cls(commit, int(time.time() * 1000), keys, files, jobs)

    def write(self) -> int:
        """Writes the file, and returns its length in bytes."""
        return FILE.write_bytes(gzip.compress(json.dumps(vars(self)).encode(), 9, mtime=0))

    @classmethod
    def read(cls) -> "ReleaseState":
        return cls(**json.loads(gzip.decompress(FILE.read_bytes())))

    def restore(self, redis: RedisClient, store: Path) -> None:
        """Puts everything into a store and a Redis that have no job, the keys in one step."""
        for path, content in self.files.items():
            (store / path).parent.mkdir(parents=True, exist_ok=True)
            (store / path).write_bytes(base64.b64decode(content))
        later_ms = time.time() * 1000 - self.taken_ms
        moved = {key(name) for name in TIMES}
        with redis.pipeline(transaction=True) as pipe:
            for name, kind, life_ms, value in self.keys:
                _restore(pipe, name.encode("latin-1"), kind, value, later_ms if name in moved else 0)
                if life_ms > 0:
                    pipe.pexpire(name.encode("latin-1"), life_ms)
            pipe.execute()


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _value(redis: RedisClient, name: bytes, kind: str) -> Any:
    match kind:
        case "string":
            return _text(redis.get(name) or b"")
        case "list":
            return [*map(_text, redis.lrange(name, 0, -1))]
        case "set":
            return sorted(map(_text, redis.smembers(name)))
        case "hash":
            return {_text(field): _text(value) for field, value in redis.hgetall(name).items()}
        case "zset":
            return {_text(member): score for member, score in redis.zrange(name, 0, -1, withscores=True)}
    raise ValueError(f"{name!r} is a {kind}")


def _restore(pipe: Any, name: bytes, kind: str, value: Any, later_ms: float) -> None:
    pipe.delete(name)
    match kind:
        case "string":
            pipe.set(name, value.encode("latin-1"))
        case "list":
            pipe.rpush(name, *(item.encode("latin-1") for item in value))
        case "set":
            pipe.sadd(name, *(item.encode("latin-1") for item in value))
        case "hash":
            pipe.hset(name, mapping={k.encode("latin-1"): v.encode("latin-1") for k, v in value.items()})
        case "zset":
            pipe.zadd(name, {member.encode("latin-1"): score + later_ms for member, score in value.items()})
