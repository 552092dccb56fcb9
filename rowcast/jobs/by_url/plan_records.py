"""What workers do to the record of a job by URL, besides adding chunks."""

from rowcast.jobs.records.leases import ConversionLease
from rowcast.jobs.records.scripts.script_methods import Scripts


class PlanRecords:
    """Divides plans, and ends ranges and outputs. Each returns False if the lease is over.

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

    def end_output(self, lease: ConversionLease) -> bool:
        """Ends a job whose manifest is written."""
        return self._scripts.end_output(lease.id, lease.attempt)
