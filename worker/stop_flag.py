"""The stop flag: the processes of a worker see that its main process has been asked to stop."""

import mmap


class StopFlag:
    """One byte that processes share which were forked after it was made. It may be set in a signal handler."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Tells all processes that the worker stops."""
        self._byte[0] = 1

    @property
    def is_set(self) -> bool:
        """Whether the worker stops, so that its processes take no further work."""
        return bool(self._byte[0])
