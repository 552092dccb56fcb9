"""The command `audit`, which checks that everything adds up. It reads Redis and the store, without the gateway."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data
from rowcast.cli.output import print_json, print_table, say
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(audit)


def audit(data: Data = None, json: Json = False) -> int:
    """Check that every accepted row is accounted for.

    Reads Redis and the store: those of the service that runs on this machine, or those that the settings
    ROWCAST_REDIS_URL and ROWCAST_STORE name. The exit code is 1 if something does not add up.

    Examples:
        rowcast audit
        rowcast audit --data .rowcast --json
    """
    from rowcast.jobs.audit.collect import Auditor
    from rowcast.jobs.job_files import Files
    from rowcast.jobs.records.redis_client import connect
    from rowcast.storage import Storage

    settings = _settings(data)
    # A longer timeout than usual: one script counts all records.
    with closing(connect(settings.redis_url, timeout_seconds=30)) as redis:
        report = Auditor(redis, Files(Storage(settings.store)), settings).report()
    if json:
        print_json(
            {
                "adds_up": not report.findings,
                "counts": {name: count._asdict() for name, count in report.table.items()},
                "findings": [finding._asdict() for finding in report.findings],
                "messages_refused": report.messages_refused,
            }
        )
    else:
        print_table(["", "jobs", "rows"], ([name, count.jobs, count.rows] for name, count in report.table.items()))
        for finding in report.findings:
            print(finding)
        if report.messages_refused:
            say(f"Workers refused {report.messages_refused:,} messages in the queue that Rowcast had not sent.")
        say(_verdict(len(report.findings)))
    return 1 if report.findings else 0


def _settings(data: Path | None) -> "Settings":
    """Returns the settings with the Redis and the store to audit."""
    from rowcast.cli.operation.service_settings import find_service

    found = find_service(data)
    if found.location:
        say(f"Auditing {found.location}.")
    if found.is_default:
        say(f"ROWCAST_REDIS_URL is not set; trying {found.settings.redis_url}. `rowcast up` starts its own Redis.")
    return found.settings


def _verdict(findings: int) -> str:
    if not findings:
        return "Everything adds up."
    return f"Found {counted(findings, 'mismatch')}."
