"""Rowcast scores rows with a scikit-learn model through a queue.

The public Python interface is what `rowcast.client` has: `from rowcast import Client, MissingColumns`. It is loaded on
first use, so that the gateway and the workers, which share this package, do not pay for it. `rowcast.accelerate` makes
scikit-learn's trees faster; it needs `pip install 'rowcast[fast]'`, and no service. `rowcast.score` predicts the
rows of a DataFrame with a registered model; it needs `pip install 'rowcast[score]'` and the registry.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowcast.client import *  # noqa: F403 - all of it is public here, too
    from rowcast.in_process import score as score
    from rowcast.in_process import version_of as version_of
    from rowcast.trees import accelerate as accelerate


def __getattr__(name: str) -> Any:
    if name[:1].isupper():  # modules, which the import of a submodule looks for here first, are in lower case
        from rowcast import client

        if name in client.__all__:
            return getattr(client, name)
    if name == "accelerate":
        from rowcast.trees import accelerate

        return accelerate
    if name in ("score", "version_of"):
        from rowcast import in_process

        return getattr(in_process, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
