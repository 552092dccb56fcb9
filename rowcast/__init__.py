"""Rowcast scores rows with a scikit-learn model through a queue.

The public Python interface is what `rowcast.client` has: `from rowcast import Client, MissingColumns`. It is loaded on
first use, so that the gateway and the workers, which share this package, do not pay for it. `rowcast.accelerate` makes
scikit-learn's trees faster; it needs `pip install 'rowcast[fast]'`, and no service.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowcast.client import *  # noqa: F403 - all of it is public here, too
    from rowcast.trees import accelerate as accelerate


def __getattr__(name: str) -> Any:
    if name[:1].isupper():  # modules, which the import of a submodule looks for here first, are in lower case
        from rowcast import client

        if name in client.__all__:
            return getattr(client, name)
    if name == "accelerate":
        from rowcast.trees import accelerate

        return accelerate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
