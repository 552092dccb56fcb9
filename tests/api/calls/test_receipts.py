"""Receipts without a key, of other owners, and the public keys."""

from pathlib import Path

import pytest

from api.app import create_app
from rowcast.api_keys import new as new_key
from rowcast.errors import BadReceiptKey
from rowcast.receipts.key_files import make_key
from rowcast.settings import Settings

CSV = {"data": b"age,pclass\n25,3\n", "content_type": "text/csv"}


def test_a_gateway_without_a_key_says_which_setting_is_missing(settings: Settings, trained: Path) -> None:
    client = create_app(settings.model_copy(update={"models": str(trained)})).test_client()
    id = client.post("/predict", **CSV).json["id"]
    answer = client.get(f"/jobs/{id}/receipt")
    assert (answer.status_code, answer.json["type"]) == (501, "urn:rowcast:problem:no-receipt-key")
    assert "ROWCAST_RECEIPT_KEY_FILE" in answer.json["detail"]
    assert client.get("/receipts/keys").json == {"keys": []}
    assert b"/receipt" not in client.get(f"/ui/jobs/{id}").data


def test_a_job_of_another_api_key_has_no_receipt(settings: Settings, trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    ann, bo = ({"X-API-Key": new_key(file, name)} for name in ("ann", "bo"))
    make_key(tmp_path / "receipt-key.pem")
    own = {"models": str(trained), "api_keys_file": str(file), "receipt_key_file": str(tmp_path / "receipt-key.pem")}
    client = create_app(settings.model_copy(update=own)).test_client()
    id = client.post("/predict", headers=ann, **CSV).json["id"]
    assert client.get(f"/jobs/{id}/receipt", headers=ann).status_code == 409, "it has not ended"
    assert client.get(f"/jobs/{id}/receipt", headers=bo).status_code == 404
    assert client.get(f"/jobs/{id}/receipt").status_code == 401


def test_every_key_of_the_file_is_published(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "receipt-key.pem"
    make_key(file)
    ids = [key.id for key in make_key(file).public]
    client = create_app(settings.model_copy(update={"receipt_key_file": str(file)})).test_client()
    assert [key["kid"] for key in client.get("/receipts/keys").json["keys"]] == ids
    assert len(ids) == 2


def test_a_bad_key_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadReceiptKey, match=r"missing\.pem: cannot be read"):
        create_app(settings.model_copy(update={"receipt_key_file": str(tmp_path / "missing.pem")}))
