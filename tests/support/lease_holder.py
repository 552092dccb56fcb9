"""A process that takes leases and renews them until it ends: `python lease_holder.py NODE JOB/CHUNK ...`.

It takes the rows that wait, too. When it has them all, it writes a line.
"""

import os
import signal
import sys

from rowcast.jobs.records.leases import Lease, Leases, WaitingRows
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import ProcessConnections
from rowcast.settings import Settings
from worker.lease_watchdog import LeaseWatchdog


def main() -> None:
    settings, (node, *members) = Settings.read(), sys.argv[1:]
    connections = ProcessConnections(node, os.getpid())
    redis = connect(settings.redis_url, on_connect=connections.register)
    leases = Leases(Scripts(redis, settings), f"{node}/{os.getpid()}")
    held: list[Lease] = []
    for member in members:
        id, _, chunk = member.partition("/")
        lease = leases.chunk(id, int(chunk))
        assert not isinstance(lease, str), f"{member} is {lease}"
        held.append(lease)
    rows = leases.take(["rows"], 10)
    held += rows.rows if isinstance(rows, WaitingRows) else ()
    with LeaseWatchdog(leases, settings.lease_seconds, 600).holding(held):
        print("held", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
