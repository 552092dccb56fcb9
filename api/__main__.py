"""Starts the gateway: `python -m api [--host HOST] [--port PORT | --fd FD] [--grace SECONDS]`.

The rest comes from the settings.
"""

import argparse
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from api.server import GRACE_SECONDS, Server
from rowcast.api_keys import KeyRing
from rowcast.errors import RowcastError, UnusableRedis
from rowcast.logs import logger, set_up
from rowcast.loopback import NEEDS_KEYS, is_loopback
from rowcast.memory import MIB, keep_memory, share_freed_memory
from rowcast.receipts.key_files import read_signing_keys
from rowcast.settings import Settings


def main() -> int:
    """Runs the gateway until SIGTERM or SIGINT, and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The Rowcast gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--fd", type=int, help="file descriptor of a listening socket, instead of host and port")
    parser.add_argument(
        "--grace",
        type=int,
        default=GRACE_SECONDS,
        help=f"time for running requests to end after SIGTERM, in seconds (default: {GRACE_SECONDS})",
    )
    options = parser.parse_args()
    try:
        settings = Settings.read()
        keys = len(KeyRing(Path(settings.api_keys_file))) if settings.api_keys_file else None
        if settings.receipt_key_file:
            read_signing_keys(Path(settings.receipt_key_file))  # a bad file stops the start here, with one line
        if options.fd is None and keys is None and not settings.open and not is_loopback(options.host):
            raise RowcastError(NEEDS_KEYS.format(options.host))
        _refuse_unusable_redis(settings.redis_url)
        set_up(settings, "gateway")
        bind = f"fd://{options.fd}" if options.fd is not None else f"{options.host}:{options.port}"
        _log_access(keys)
        _allow_open_files()
        keep_memory(32 * MIB)
        share_freed_memory()
        Server(settings, bind, options.grace).run()
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        return 2
    return 0


def _refuse_unusable_redis(url: str) -> None:
    """Looks at Redis in a separate process: its client imports `ssl`, which gevent has to patch first.

    Raises:
        UnusableRedis: it cannot be used as it is set. Says what to correct.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        from rowcast.jobs.records.redis_client import refuse_unusable

        try:
            refuse_unusable(url)
        except UnusableRedis as error:
            os.write(writing, error.detail.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        detail = said.read()
    os.waitpid(child, 0)
    if detail:
        raise UnusableRedis(detail)


def _allow_open_files() -> None:
    """Raises the limit of open files as far as the system allows. The usual 1,024 is less than we promise to hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS reports a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _log_access(keys: int | None) -> None:
    log = logger("gateway")
    if keys is None:
        log.warning("gateway_is_open", detail="There are no API keys: anyone can use the gateway.")
    elif keys == 0:
        log.warning("no_keys", detail="The file of API keys is empty: every call is refused until it has a key.")
    else:
        log.info("gateway_has_keys", keys=keys)


if __name__ == "__main__":
    sys.exit(main())
