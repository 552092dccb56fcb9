"""The example model: trains the Titanic model if the registry does not have it.

`python -m rowcast.local.example_model` is a separate process, so that the supervisor does not load scikit-learn.
"""

import sys

from rowcast.errors import RowcastError
from rowcast.models.generated_key import signing_key
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage
from training.titanic import train_default


def main() -> int:
    """Trains the model, prints a sentence, and returns the exit code."""
    try:
        settings = Settings.read()
        manifest = train_default(Registry(Storage(settings.models), signing_key(settings)))
    except RowcastError as error:
        print(error.detail, file=sys.stderr)
        return 1
    if manifest:
        print(f"Trained the example model {manifest.name}, version {manifest.version}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
