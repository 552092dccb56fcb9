"""The command that asks whether everything adds up: it reads Redis and the store themselves, not the gateway."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.connection import Json
from rowcast.cli.output import say, show_json, show_table

Data = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="The --data of `rowcast up`; the store is its folder `store`.", show_default=".rowcast"
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(audit)


def audit(data: Data = None, json: Json = False) -> int:
    """Count what was taken in against what came of it, and say what does not add up.

    Redis is the one that ROWCAST_REDIS_URL names, the store that of ROWCAST_STORE.
    Exit code 1 where something does not add up.
    """
    from rowcast.jobs.auditor import Auditor
    from rowcast.jobs.connection import connect
    from rowcast.jobs.files import Files
    from rowcast.settings import Settings
    from rowcast.storage import Storage

    settings = Settings.read(**({"store": str(data / "store")} if data else {}))
    # A longer timeout than usual: one script counts all records.
    with closing(connect(settings.redis_url, timeout_seconds=30)) as redis:
        report = Auditor(redis, Files(Storage(settings.store)), settings).report()
    if json:
        show_json(
            {
                "adds_up": not report.findings,
                "counts": {name: count._asdict() for name, count in report.table.items()},
                "findings": [finding._asdict() for finding in report.findings],
                "messages_refused": report.messages_refused,
            }
        )
    else:
        show_table(["", "jobs", "rows"], ([name, count.jobs, count.rows] for name, count in report.table.items()))
        for finding in report.findings:
            print(finding)
        if report.messages_refused:
            say(f"{report.messages_refused} messages on the queue were none of ours; they were refused.")
        say(_verdict(len(report.findings)))
    return 1 if report.findings else 0


def _verdict(findings: int) -> str:
    if not findings:
        return "Everything adds up."
    return "1 thing does not add up." if findings == 1 else f"{findings} things do not add up."
