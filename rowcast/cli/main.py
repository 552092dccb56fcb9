"""The entry point: the commands, and the one place where an error becomes a sentence and an exit code.

0    done
1    the job failed or was cancelled, a part of the service cannot be kept running, or the audit found something
2    wrong use, or a request that was refused
3    the service cannot be reached
130  Ctrl-C
"""

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import Abort

from rowcast.cli import audit, jobs, keys, models, predict, up
from rowcast.cli.output import fail, say
from rowcast.version import VERSION

DONE, FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
_PIPE_CLOSED = 141
"""As a program that SIGPIPE ended (`rowcast result ID | head`)."""

app = typer.Typer(
    help="Scores rows with a scikit-learn model through a queue.",
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
    """Takes the options that stand before a command."""


predict.add_to(app)
jobs.add_to(app)
models.add_to(app)
keys.add_to(app)
up.add_to(app)
audit.add_to(app)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and answers the exit code. No error that a user can cause shows a stack trace."""
    try:
        code = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, Abort):
        say("Interrupted.")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and not isinstance(ended.__context__, BrokenPipeError):
            raise  # typer itself turns a broken pipe into this
        # Python flushes standard output once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception as error:
        return _judged(error)
    return code if isinstance(code, int) else DONE


def _judged(error: Exception) -> int:
    """The sentence, and the code; what is nobody's fault but ours is raised again."""
    shown = getattr(error, "show", None)  # the parser's own errors know their usage line
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
    if isinstance(error, OSError):  # a full disk, say
        say(f"rowcast: {error}")
        return WRONG_USE
    raise error


def _client_codes(error: Exception) -> int | None:
    from rowcast.client.errors import BrokenTransfer, ClientError, JobEnded, ServiceError, StillRunning, Unreachable

    if not isinstance(error, ClientError):
        return None
    if isinstance(error, JobEnded | StillRunning):
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
