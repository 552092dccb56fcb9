"""Files of keys for receipts: what they may hold, how they are changed, and what is refused."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from rowcast.errors import BadReceiptKey
from rowcast.receipts.key_files import PublicKey, make_key, public_pem, read_public_keys, read_signing_keys

RFC_8037_KEY = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")


def test_the_id_of_a_key_is_that_of_the_example_in_rfc_8037() -> None:
    assert PublicKey(RFC_8037_KEY).id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_new_key_signs_and_the_one_before_is_still_published(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "receipt-key.pem"
    first = make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    second = make_key(file)
    assert [key.id for key in second.public] == [second.public[0].id, first.public[0].id]
    assert file.read_bytes().count(b"PRIVATE KEY-----\n") == 2, "begin and end of one block"
    assert list(file.parent.iterdir()) == [file]
    assert list(read_public_keys(file)) == [key.id for key in second.public]


def test_keys_of_openssl_and_seeds_of_32_bytes_are_taken(tmp_path: Path) -> None:
    pem, seed = tmp_path / "key.pem", tmp_path / "seed"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", pem], check=True)
    assert read_signing_keys(pem).public
    seed.write_bytes(bytes(range(32)))
    assert read_signing_keys(seed).private.private_bytes_raw() == bytes(range(32))


def test_public_keys_come_as_pem_as_a_key_set_and_in_a_folder(tmp_path: Path) -> None:
    one, other = make_key(tmp_path / "one").public[0], make_key(tmp_path / "other").public[0]
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / "one.pem").write_bytes(public_pem([one]))
    (folder / "other.json").write_text(json.dumps({"keys": [other.jwk()]}))
    (folder / "README").write_text("not a key")
    assert read_public_keys(folder) == {one.id: one, other.id: other}


def test_a_key_set_cannot_give_a_key_the_id_of_another(tmp_path: Path) -> None:
    one, other = make_key(tmp_path / "one").public[0], make_key(tmp_path / "other").public[0]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [other.jwk() | {"kid": one.id}]}))
    assert list(read_public_keys(tmp_path / "keys.json")) == [other.id]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "must be a PEM file"),
        (b"-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n", "cannot be read"),
        (bytes(31), "must be a PEM file"),
        (public_pem([PublicKey(RFC_8037_KEY)]), "private key comes first"),
        (None, "No such file"),
    ],
    ids=["empty", "garbled", "short", "public", "missing"],
)
def test_a_file_without_a_private_key_is_refused(tmp_path: Path, content: bytes | None, what: str) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadReceiptKey, match=what):
        read_signing_keys(file)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["-algorithm", "x25519"], "another kind"),
        (["-algorithm", "ed25519", "-aes256", "-pass", "pass:x"], "encrypted"),
    ],
)
def test_keys_of_another_kind_and_encrypted_ones_are_refused(tmp_path: Path, arguments: list[str], what: str) -> None:
    file = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", *arguments, "-out", file], check=True)
    with pytest.raises(BadReceiptKey, match=what):
        read_signing_keys(file)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"keys": 1}', '{"keys": [{"crv": "Ed25519", "x": "AA"}]}'])
def test_a_document_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(BadReceiptKey):
        read_public_keys(tmp_path / "keys.json")
