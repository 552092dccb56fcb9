"""Starts upkeep: `python -m upkeep`. Everything comes from the settings."""

import sys
from functools import partial

from rowcast.errors import RowcastError, Unavailable
from rowcast.heartbeat_file import touch_heartbeat_file
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.metric_fields import count_store_error
from rowcast.jobs.records.redis_client import connect, refuse_unusable
from rowcast.logs import logger, set_up
from rowcast.settings import Settings
from rowcast.stop_signals import StopSignals
from rowcast.storage import Storage
from upkeep.loop import TICK_SECONDS, Upkeep


def main() -> None:
    """Runs until SIGTERM, SIGINT or SIGHUP."""
    try:
        settings = Settings.read()
        refuse_unusable(settings.redis_url)
        redis = connect(settings.redis_url)
        files = Files(
            Storage(settings.store, on_error=partial(count_store_error, redis, "upkeep"), syncs=settings.store_sync)
        )
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        sys.exit(2)
    set_up(settings, "upkeep")
    log = logger("upkeep")
    upkeep = Upkeep(redis, files, settings)
    log.info("started")
    with StopSignals() as stop:
        while not stop.wait(TICK_SECONDS):
            try:
                upkeep.tick()
                touch_heartbeat_file(settings)
            except Unavailable as error:
                log.warning("round_failed", reason=error.detail)
    log.info("stopped")


if __name__ == "__main__":
    main()
