"""Live uploads: how many may be open at a time."""

import gevent
import pytest
from gevent.event import Event

from api.input.live_upload import LiveUpload, LiveUploads
from rowcast.errors import BodyCutShort, LiveUploadsFull


def test_one_upload_too_many_is_refused_until_another_ends_in_whatever_way() -> None:
    uploads, goes_on = LiveUploads(3), Event()

    def breaks_off(_on_progress: object) -> None:
        goes_on.wait()
        raise BodyCutShort("The body broke off.")

    def begun(count: int) -> list[LiveUpload]:
        started = [LiveUpload() for _ in range(count)]
        for upload in started:
            uploads.start(upload, breaks_off)
        return started

    ends_itself, given_up, waits = begun(3)
    gevent.idle()
    with pytest.raises(LiveUploadsFull, match="takes 3 uploads with `follow=true` at a time"):
        begun(1)
    given_up.stop()
    goes_on.set()
    with pytest.raises(BodyCutShort):
        ends_itself.result()
    waits.stop()
    gevent.idle()
    goes_on.clear()
    for upload in begun(3):
        upload.stop()  # before it has begun
    gevent.idle()
    begun(3)
    with pytest.raises(LiveUploadsFull):
        begun(1)
    goes_on.set()
