"""The two libraries for signatures, which the client does not bring: `cryptography` and `rfc8785`."""

from types import ModuleType

from rowcast.errors import RowcastError


class VerifyMissing(RowcastError):
    """A library for signatures is not installed."""


def require_libraries() -> None:
    """Checks that signatures can be made and checked.

    Raises:
        VerifyMissing: a library is missing. The message says how to install it.
    """
    _imported("cryptography")
    _imported("rfc8785")


def _imported(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise VerifyMissing(
            f"Checking signatures needs {name}, which is not installed: pip install 'rowcast[verify]'"
        ) from None
