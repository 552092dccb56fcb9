"""Lost processes: worker processes that were killed with their whole worker, and can release no lease themselves.

The kernel of a machine closes the connections of a process that is killed, and Redis notices at once. A process that
gets no processor time, or is frozen, keeps its connections, so it is never taken for lost.
"""

from dataclasses import dataclass

from redis.exceptions import ResponseError

from rowcast.errors import RedisRefuses
from rowcast.jobs.records.job_records import fields_about
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.logs import logger

LOOKS = 4
"""A process is lost if this many looks in a row, a second apart, find no connection of it and no lease renewed.

A live process whose connections were cut opens a new one when it next renews its leases, twice a second. Looks are
counted instead of seconds, because Redis has responded at each of them: while it does not, nothing can be renewed."""


@dataclass(frozen=True)
class _Found:
    """What a look finds of a process without a connection. If the process does anything, the next look differs."""

    #: The connections that it had registered.
    registered: str
    #: `JOB/CHUNK`, attempt and end (ms) of its leases.
    leases: tuple[tuple[str, int, int], ...]
    #: Looks in a row that have found the same.
    looks: int = 1


class LostProcesses:
    """Looks for lost processes. It remembers what the last look found, so each upkeep needs one."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts, self._workers = scripts, WorkerRegistry(scripts.redis)
        self._found: dict[str, _Found] = {}
        self._log = logger("upkeep")
        self._has_warned = False

    def end_leases(self) -> None:
        """Looks once, and lets the leases of processes that are lost run out.

        Raises:
            Unavailable: Redis cannot be used; the next look counts from one again.
        """
        before, self._found = self._found, {}
        found = self._look()
        for holder, one in found.items():
            known = before.get(holder)
            if known and (known.registered, known.leases) == (one.registered, one.leases):
                found[holder] = _Found(one.registered, one.leases, known.looks + 1)
        lost = [holder for holder, one in found.items() if one.looks >= LOOKS]
        if lost:
            ended = self._scripts.run_out(lease for holder in lost for lease in found[holder].leases)
            members = (member for holder in lost for member, _, _ in found[holder].leases)
            about = fields_about(self._scripts.redis, members)
            self._log.warning("processes_lost", processes=lost, leases=ended, **about)
        self._found = found

    def _look(self) -> dict[str, _Found]:
        """Returns the processes that have leases and no connection."""
        leases = self._leases()
        try:
            disconnected = self._workers.disconnected(leases) if leases else {}
        except (ResponseError, RedisRefuses) as error:  # then leases run out when they do
            if not self._has_warned:
                self._log.warning("connections_not_listed", reason=getattr(error, "detail", str(error)))
            self._has_warned = True
            return {}
        found = {}
        for holder, registered in disconnected.items():
            held = leases[holder]
            with redis_errors():
                ends = self._scripts.redis.zmscore(key("due"), [member for member, _ in held])
            known = zip(held, ends, strict=True)
            found[holder] = _Found(
                registered, tuple((member, attempt, int(end)) for (member, attempt), end in known if end is not None)
            )
        return found

    def _leases(self) -> dict[str, list[tuple[str, int]]]:
        """Returns `JOB/CHUNK` and attempt of each lease, by holder."""
        with redis_errors():
            leases = self._scripts.redis.hgetall(key("leases"))
        found: dict[str, list[tuple[str, int]]] = {}
        for member, lease in sorted(leases.items()):
            attempt, _, holder = lease.decode().partition(" ")
            found.setdefault(holder, []).append((member.decode(), int(attempt)))
        return found
