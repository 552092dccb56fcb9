"""A resumable upload, as steps: after a broken connection, the client goes on where the service has no more bytes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from rowcast.client.errors import TRANSIENT, Conflict, Gone, NotFound, Refused, ServiceError
from rowcast.client.errors.problems import BodyCutShort, UnknownUpload
from rowcast.client.http.endpoint import Endpoint
from rowcast.client.http.steps import Pause, Steps
from rowcast.client.upload import Upload

LARGE_BYTES = 64 * 1024 * 1024
"""Files from this size on are sent in this way."""

_NOT_OFFERED = (404, 405)
"""Statuses with which an older service, or a proxy, answers these calls."""

_AGAIN = (*TRANSIENT, Conflict, BodyCutShort)
"""Errors after which the client asks how much has arrived, and goes on. A conflict is a wrong offset."""


def send_file(
    endpoint: Endpoint, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
) -> Steps[dict[str, Any]]:
    """Sends a file and returns its job as JSON. `params` and `headers` are those of `POST /predict`.

    Raises:
        ClientError: the file was refused, or no byte could be sent for as long as the client's patience lasts.
    """
    job = None
    if upload.repeatable and (upload.length_bytes or 0) >= LARGE_BYTES:
        job = yield from _send_resumable(endpoint, upload, params, headers)
    return job or (yield from endpoint.upload("/predict", upload, params, headers))


def _send_resumable(
    endpoint: Endpoint, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
) -> Steps[dict[str, Any] | None]:
    """Returns the job, or None if the service does not offer resumable uploads."""
    for is_last_attempt in (False, True):
        path = yield from _create(endpoint, upload, params, headers)
        if path is None:
            return None
        try:
            return (yield from _send_all(endpoint, upload, path))
        except UnknownUpload:  # the service has lost it, for example because its Redis was emptied
            if is_last_attempt:
                raise
        except Refused as error:
            if error.status != 405:
                raise
            return None  # a proxy does not let PATCH or HEAD pass
    return None


def _create(
    endpoint: Endpoint, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
) -> Steps[str | None]:
    """Creates an upload and returns its path below the service's address."""
    of_file = {**headers, **upload.file_headers, "Upload-Length": str(upload.length_bytes)}
    try:
        response = yield from endpoint.response("POST", "/uploads", params=params, headers=of_file)
    except Refused as error:
        if error.status in _NOT_OFFERED:  # also if the model is unknown: POST /predict then says so
            return None
        raise
    location = response.headers.get("Location", "")
    return "/uploads/" + urlsplit(location).path.rsplit("/", 1)[-1] if location else None


def _send_all(endpoint: Endpoint, upload: Upload, path: str) -> Steps[dict[str, Any]]:
    """Sends the file and returns the job."""
    retries, offset = endpoint.retries(), 0
    while True:
        try:
            return (yield from endpoint.upload_rest(path, upload, offset))
        except _AGAIN as error:
            before, offset = offset, (yield from _arrived_bytes(endpoint, path))
            if offset > before:
                retries.restart()
                continue
            seconds = retries.pause_seconds(error)
            if seconds is None:
                raise error.with_traceback(None) from None
        yield Pause(seconds)


def _arrived_bytes(endpoint: Endpoint, path: str) -> Steps[int]:
    """Asks how much of the file has arrived."""
    try:
        response = yield from endpoint.response("HEAD", path)
    except (NotFound, Gone):  # the answer to HEAD has no words
        yield from endpoint.response("PATCH", path, headers={"Upload-Offset": "0"})
        raise
    arrived: str = response.headers.get("Upload-Offset", "")
    if not arrived.isdigit():
        raise ServiceError(f"{endpoint.url} did not say how much of the file has arrived.")
    return int(arrived)
