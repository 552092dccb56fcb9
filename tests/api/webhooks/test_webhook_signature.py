"""Signatures, checked by the library of Standard Webhooks."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from webhook_receiver import SECRET

from api.webhooks.webhook_signature import signed_headers
from rowcast.settings import Settings

OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = '{"id": "Zoë"}'.encode()


def test_the_library_takes_the_signature_of_each_key() -> None:
    keys = Settings.read(webhook_secret=f"{SECRET}, {OTHER}").webhook_keys
    headers = signed_headers(keys, "job-1", int(time.time()), BODY)
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(BODY, headers) == {"id": "Zoë"}


def test_the_library_refuses_another_body_another_id_and_an_old_time() -> None:
    keys = Settings.read(webhook_secret=SECRET).webhook_keys
    headers = signed_headers(keys, "job-1", int(time.time()), BODY)
    old = signed_headers(keys, "job-1", int(time.time()) - 3600, BODY)
    for body, wrong in ((b"{}", headers), (BODY, {**headers, "webhook-id": "job-2"}), (BODY, old)):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, wrong)
