"""What workers do to the record of a job by URL, besides adding chunks."""

from rowcast.jobs.by_url.output_folder import DIGEST_BYTES
from rowcast.jobs.records.leases import ConversionLease
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts


class PlanRecords:
    """Divides plans, and ends ranges and outputs. What changes the record returns False if the lease is over.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def split(self, lease: ConversionLease, ranges: int) -> bool:
        """Has ranges scanned, by all processes. The lease ends, and another one goes on with the plan."""
        return self._scripts.split_plan(lease.id, lease.attempt, ranges)

    def end_range(self, lease: ConversionLease, cpu_seconds: float) -> bool:
        """Notes that a range is scanned, and stored."""
        return self._scripts.end_range(lease.id, lease.chunk, lease.attempt, round(cpu_seconds * 1_000_000))

    def output_digests(self, id: str, first: int, count: int) -> list[bytes]:
        """Returns the SHA-256 of `count` parts that were written to the job's URL, from number `first` on."""
        with redis_errors():
            packed = self._scripts.redis.getrange(
                key("outputs", id), first * DIGEST_BYTES, (first + count) * DIGEST_BYTES - 1
            )
        return [packed[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] for place in range(count)]

    def end_output(self, lease: ConversionLease) -> bool:
        """Ends a job whose manifest is written."""
        return self._scripts.end_output(lease.id, lease.attempt)
