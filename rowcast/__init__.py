"""Rowcast scores rows with a scikit-learn model through a queue.

`from rowcast import Client` is the whole of the public Python interface; it is loaded on first use, so that the
gateway and the workers, which share this package, do not pay for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowcast.client import Client, Job

__all__ = ["Client", "Job"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from rowcast import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
