"""Uploads: inputs that are still arriving. Workers score their chunks before the job itself is made."""

from collections.abc import Sequence

from rowcast.errors import UploadGone
from rowcast.jobs.chunk_tables import PlanEntry
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.live_limits import limits_of, queue_full
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.scripts.script_results import NO_LIMITS
from rowcast.settings import Settings


class Uploads:
    """The uploads that go on. A job's id is the id of its upload.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts, settings: Settings) -> None:
        self._scripts = scripts
        self._settings = settings

    def announce(self, id: str, owner: str = "") -> None:
        """Announces an upload. If it falls silent, upkeep removes what it stored.

        Raises:
            QueueFull: there are as many live jobs as may be, of all owners or of this one.
        """
        full = self._scripts.announce_upload(id, owner, limits_of(self._settings, owner))
        if full:
            raise queue_full(full, self._settings)

    def touch(self, id: str) -> None:
        """Notes that an announced upload still goes on; upkeep removes the files of a silent one."""
        self._scripts.announce_upload(id, "", NO_LIMITS)

    def add_chunks(self, id: str, chunk: int, planned: Sequence[PlanEntry], first: NewJob | None) -> bool:
        """Adds chunks from number `chunk` on, which are in the store: they are scored while the rest arrives.

        `first` comes with chunk 0: the job as far as it is known. Returns False if Redis does not know the chunks
        before these; then the later ones need not be added either. Chunks that it knows already are not added twice.

        Raises:
            UploadGone: it knows other chunks with these numbers.
        """
        added = self._scripts.add_chunks(id, chunk, planned, first)
        if added == "differ":
            raise UploadGone("Another version of the service cut this file in another way. Send it again.")
        return added == "added"

    def withdraw(self, id: str) -> None:
        """Withdraws an announced upload. Upkeep removes what a worker may still be storing of it."""
        self._scripts.withdraw_upload(id)
