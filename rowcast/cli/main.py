"""The entry point: the commands, and the one place where an error becomes a sentence and an exit code.

The exit codes:

- 0: done.
- 1: the job failed or was cancelled, a program of the service cannot be kept running, the audit found a mismatch, the
  doctor found a fault, or a receipt does not hold.
- 2: wrong use, or the service refused the request.
- 3: the service cannot be reached.
- 129, 143: SIGHUP, SIGTERM.
- 130: Ctrl-C.
- 141: the reader of standard output went away.
"""

import errno
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import Abort

from rowcast.cli.commands import check, jobs, keys, models, predict, receipts, repair, up, watch
from rowcast.cli.operation import audit, doctor, pause
from rowcast.cli.output import fail, prepare_streams, say
from rowcast.cli.termination import Terminated, terminable
from rowcast.cli.typer_app import App
from rowcast.version import VERSION

DONE, FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
_PIPE_CLOSED = 141
"""The code of a program that SIGPIPE ended, for example in `rowcast result ID | head`."""

app = App(
    help="Score rows with scikit-learn models, through a queue of workers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"rowcast {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reads the options before the command."""


predict.add_to(app)
check.add_to(app)
jobs.add_to(app)
repair.add_to(app)
receipts.add_to(app)
watch.add_to(app)
models.add_to(app)
keys.add_to(app)
up.add_to(app)
audit.add_to(app)
pause.add_to(app)
doctor.add_to(app)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code. Errors that a user can cause show no stack trace."""
    prepare_streams()
    try:
        with terminable():
            code = app(args=arguments, standalone_mode=False)
            sys.stdout.flush()
    except Terminated as ended:
        with suppress(OSError):  # the terminal may be gone
            say(f"Terminated by {ended}.")
        return ended.exit_code
    except (KeyboardInterrupt, Abort):
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise  # Typer turns a broken pipe into SystemExit
        _give_up_output()
        return _PIPE_CLOSED
    except Exception as error:
        return _report(error)
    if code == INTERRUPTED:  # also what Typer returns after a KeyboardInterrupt
        say("Interrupted.")
    return code if isinstance(code, int) else DONE


def _give_up_output() -> None:
    """Python flushes standard output again when it exits, and would print an error then."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> int:
    """Prints the error and returns the exit code. An error that only a bug in Rowcast can cause is raised again."""
    shown = getattr(error, "show", None)  # Typer's usage errors print themselves
    if shown is not None:
        shown()
        return int(getattr(error, "exit_code", WRONG_USE))
    for name, codes in (("rowcast.client.errors", _client_codes), ("rowcast.errors", _rowcast_codes)):
        if name in sys.modules and (code := codes(error)) is not None:
            fail(error)
            return code
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("rowcast"):
        say(f"rowcast: this command needs {error.name}, which is not installed: pip install 'rowcast[local]'")
        return WRONG_USE
    if isinstance(error, OSError):  # for example a full disk
        if error.errno == errno.EBADF:  # standard output is closed
            _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        say(f"rowcast: {where}{error.strerror or error}")
        return WRONG_USE
    raise error


def _client_codes(error: Exception) -> int | None:
    from rowcast.client import BrokenTransfer, ClientError, NoResult, ServiceError, StillRunning, Unreachable

    if not isinstance(error, ClientError):
        return None
    if isinstance(error, NoResult | StillRunning):
        return FAILED
    return UNREACHABLE if isinstance(error, Unreachable | ServiceError | BrokenTransfer) else WRONG_USE


def _rowcast_codes(error: Exception) -> int | None:
    from rowcast.errors import RowcastError, Unavailable

    if not isinstance(error, RowcastError):
        return None
    if type(error).__name__ == "StartFailed":
        return FAILED
    return UNREACHABLE if isinstance(error, Unavailable) else WRONG_USE


if __name__ == "__main__":
    sys.exit(main())
