"""The files of secrets: a setting that is a secret may be in a file, which a variable with `_FILE` at its end names."""

import os
from pathlib import Path

from rowcast.errors import BadSetting

PREFIX = "ROWCAST_"

SECRETS = ("redis_url", "model_key", "webhook_secret")
"""Settings that may be in files, because `docker inspect` shows the environment of a container."""

_MOST_BYTES = 64 * 1024


def variable(field: str) -> str:
    """Returns the environment variable of a field, for example `ROWCAST_MODEL_KEY`."""
    return PREFIX + field.upper()


def file_variable(field: str) -> str:
    """Returns the environment variable that names the file of a secret, for example `ROWCAST_MODEL_KEY_FILE`."""
    return f"{variable(field)}_FILE"


def read_secret(name: str, file: str) -> str:
    """Returns the secret in the file that a variable names, without the line end that editors and `echo` add.

    Raises:
        BadSetting: the file cannot be read, or is empty.
    """
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(_MOST_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadSetting(name, file, f"the file cannot be read: {reason}") from None
    if not text:
        raise BadSetting(name, file, "the file is empty")
    return text


def secret_of(field: str, file: str) -> str:
    """Returns what the file of a field's secret holds.

    Raises:
        BadSetting: the file cannot be read, or the variable of the field is set as well.
    """
    if variable(field) in os.environ:
        raise BadSetting(file_variable(field), file, f"{variable(field)} is set as well; set only one of them")
    return read_secret(file_variable(field), file)
