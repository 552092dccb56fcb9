"""Starts the gateway: `python -m api [--host HOST] [--port PORT | --fd FD]`. All else comes from the settings."""

import argparse
import ipaddress
import resource
import sys
from contextlib import suppress
from pathlib import Path

from api.server import Server
from rowcast.api_keys import KeyRing
from rowcast.errors import RowcastError
from rowcast.logs import logger, set_up
from rowcast.memory import MIB, keep_memory
from rowcast.settings import Settings


def main() -> int:
    """Runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The Rowcast gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--fd", type=int, help="a listening socket's file descriptor, in place of host and port")
    options = parser.parse_args()
    try:
        settings = Settings.read()
        keys = len(KeyRing(Path(settings.api_keys_file))) if settings.api_keys_file else None
        if options.fd is None and keys is None and not settings.open and not _is_loopback(options.host):
            raise RowcastError(
                f"A gateway without keys listens on loopback only, not on {options.host}, unless ROWCAST_OPEN=true."
            )
        set_up(settings, "gateway")
        bind = f"fd://{options.fd}" if options.fd is not None else f"{options.host}:{options.port}"
        _say_who_may(keys)
        _allow_open_files()
        keep_memory(32 * MIB)
        Server(settings, bind).run()
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        return 2
    return 0


def _allow_open_files() -> None:
    """As many connections as the system grants: the usual soft limit of 1,024 is less than we promise to hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say_who_may(keys: int | None) -> None:
    log = logger("gateway")
    if keys is None:
        log.warning("gateway_is_open", detail="No API keys: anyone who reaches the port can use it.")
    elif keys == 0:
        log.warning("no_keys", detail="The file of API keys has none: every call is refused until it has one.")
    else:
        log.info("gateway_has_keys", keys=keys)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
