"""The example: trains the Titanic model where the registry has none, in a process of its own.

`python -m rowcast.local.example_model`; the supervisor so stays free of scikit-learn's memory.
"""

import sys

from rowcast.errors import RowcastError
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage
from training.titanic import train_default


def main() -> int:
    """Trains, says so, and ends."""
    try:
        settings = Settings.read()
        manifest = train_default(Registry(Storage(settings.models), settings.model_key))
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        return 1
    if manifest:
        print(f"Trained the example model {manifest.name}, version {manifest.version}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
