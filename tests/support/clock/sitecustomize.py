"""Python reads this at its start if it is on the path: `time.time` goes by a clock that a test moves.

(libfaketime, which does that to Redis, makes Python's `time.sleep` fail.)
"""

import os
import time
from pathlib import Path

_true_time = time.time


def _moved_time() -> float:
    return _true_time() + float(Path(os.environ["MOVED_CLOCK"]).read_text())


time.time = _moved_time
