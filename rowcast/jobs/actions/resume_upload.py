"""Resumable uploads: a file that comes in several requests, whose bytes are safe as soon as they are counted.

The bytes are stored as segments, as they were sent. Chunks are cut from them meanwhile, as from any upload. What that
takes is only in the memory of one gateway. After its death, another gateway reads the segments again and cuts the same
chunks. Those that Redis knows already are neither stored nor scored a second time.
"""

from collections.abc import Iterable, Iterator

from rowcast.errors import BodyCutShort, InputLost, QueueFull, UnknownUpload, UploadGone, UploadTaken
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.receive_source import SourceReceiver
from rowcast.jobs.actions.receive_upload import UploadReceiver
from rowcast.jobs.actions.submit import Submitted, is_job_id, new_id
from rowcast.jobs.job import Format
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.resumable_uploads import Hold, ResumableUploads, UploadRecord
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.request import Request, StoredRequest
from rowcast.jobs.states import UploadState
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings


class ResumableJobs:
    """Makes jobs of resumable uploads.

    Raises:
        Unavailable: from any method, if Redis or the store cannot be reached.
    """

    def __init__(
        self, records: Records, uploads: Uploads, resumable: ResumableUploads, files: Files, settings: Settings
    ) -> None:
        self._records, self._uploads, self._resumable = records, uploads, resumable
        self._files, self._settings = files, settings

    def create(self, request: Request, *, is_gzip: bool, length: int | None) -> str:
        """Creates an upload and returns its id. `length` is the number of bytes of the file, if it is known.

        Raises:
            QueueFull: there are as many live jobs and open uploads as the settings allow.
        """
        id = new_id()
        stored = StoredRequest(
            model=request.models.reference,
            options=request.options,
            owner=request.owner,
            request_id=request.request_id,
            traceparent=request.traceparent,
            url_prefix=request.url_prefix,
            pool=request.pool,
            shadow=request.shadow,
            idempotency_key=request.idempotency_key,
            filename=request.filename,
            is_gzip=is_gzip,
            format=request.format,
            chunk_bytes=self._settings.chunk_bytes,
            chunk_rows=self._settings.chunk_rows,
        )
        self._resumable.create(id, stored, length)
        return id

    def find(self, id: str, owner: str | None) -> UploadRecord:
        """Returns an upload. Those of other owners are unknown; None means every owner.

        Raises:
            UnknownUpload: there is no such upload.
        """
        if not is_job_id(id):
            raise UnknownUpload(f"Upload not found: {id[:64]!r} is not a valid id of an upload.")
        upload = self._resumable.get(id)
        if owner not in (None, upload.owner):
            raise UnknownUpload(f"Upload not found: {id}.")
        return upload

    def hold(self, id: str) -> Hold:
        """Takes an upload, so that no other request may append to it. Raises as `find`."""
        return self._resumable.hold(id)

    def now(self, hold: Hold, offset: int) -> Hold:
        """Returns the hold with the upload as it is now.

        Raises:
            UploadTaken: another request has appended to it, so that it has not `offset` bytes any more.
        """
        upload = self._resumable.get(hold.upload.id)
        if upload.offset != offset:
            raise UploadTaken(f"Another request goes on with upload {upload.id}.")
        return Hold(upload, hold.token)

    def append(self, hold: Hold, offset: int, data: bytes) -> None:
        """Stores the bytes from `offset` on, and counts them.

        Raises:
            UploadTaken, UploadGone: another request has taken the upload, or it has ended. They do not count then.
        """
        self._files.put_segment(hold.upload.id, offset, hold.token, data)
        self._resumable.append(hold, offset, len(data))

    def stored(self, id: str, start: int) -> Iterator[bytes]:
        """Yields the segments that are counted, from the one that begins at the offset `start` on.

        Raises:
            InputLost: the store has lost one.
        """
        for offset, token in self._resumable.segments(id):
            if offset < start:
                continue
            try:
                yield self._files.get_segment(id, offset, token)
            except FileNotFoundError:
                raise InputLost(f"The store has lost the bytes from {offset} on of upload {id}.") from None

    def receive(self, upload: UploadRecord, models: ModelSet, blocks: Iterable[bytes]) -> NewJob:
        """Cuts the whole file into chunks, adds them to Redis, and returns the job to make of them.

        `blocks` are the decompressed bytes from the start of the file, and `models` are those of the upload.

        Raises:
            Refused: something in the file is wrong. UploadGone: the upload has ended, or must be sent again.
        """
        request = upload.require_open()
        sizes = {"chunk_bytes": request.chunk_bytes, "chunk_rows": request.chunk_rows}
        receiver = UploadReceiver(
            self._uploads,
            self._files,
            self._settings.model_copy(update=sizes),
            request.request(models),
            upload.id,
            outlives_gateway=True,
            known_chunks=self._resumable.known_chunks(upload.id),
        )
        return receiver.take(blocks)

    def receive_source(self, upload: UploadRecord, models: ModelSet, blocks: Iterable[bytes], format: Format) -> NewJob:
        """Stores the whole file for a worker to convert, and returns the job to make of it. As `receive`."""
        request = upload.require_open().request(models)
        return SourceReceiver(self._uploads, self._files, request, upload.id, format).take(blocks)

    def complete(self, new: NewJob) -> Submitted:
        """Makes the job. The upload is complete then, and a repetition of its last request returns the same job.

        Raises:
            QueueFull: there are as many live jobs as the settings allow. The upload stays open.
            KeyReused: the Idempotency-Key was used with a different request. UploadGone: the upload has ended.
        """
        self._files.put_manifest(new.id, job_manifest.write(new))
        try:
            id, outcome = self._records.make(new)
        except QueueFull:
            self._files.delete_manifest(new.id)
            raise
        except BodyCutShort:
            self._files.delete(new.id)
            raise UploadGone(f"Upload {new.id} was deleted, or was silent for too long.") from None
        if id != new.id:
            self.end(new.id, UploadState.COMPLETE, job=id)
        else:
            self._files.delete_segments(id)
        return Submitted(id, outcome != "made", new, outcome == "reused")

    def end(self, id: str, state: UploadState, *, job: str = "", reason: str = "") -> bool:
        """Ends an upload of which no job with its id was made, and deletes its files. Returns whether it was open."""
        was_open = self._resumable.close(id, state, job=job, reason=reason)
        if was_open:  # if not, its job may have been made meanwhile
            self._files.delete(id)
        return was_open
