"""`rowcast verify`: names what differs, and says what it did not check."""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rowcast.receipts.key_files import SigningKeys, make_key, public_pem
from rowcast.receipts.signed_document import sign

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]

SENT, CAME_BACK = b"age\n1\n", b"age,prediction\n1,0\n"


def described(content: bytes) -> dict[str, object]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


class Case:
    """A signed receipt with its files and its key, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: SigningKeys = make_key(folder / "private.pem")
        document = {"type": "urn:rowcast:receipt:1", "input": described(SENT), "result": described(CAME_BACK)}
        self.document = sign(document, self.keys)
        self.receipt, self.input, self.result, self.key = (
            folder / name for name in ("receipt.json", "in.csv", "out.csv", "trusted.pem")
        )
        self.receipt.write_text(json.dumps(self.document))
        self.input.write_bytes(SENT)
        self.result.write_bytes(CAME_BACK)
        self.key.write_bytes(public_pem(self.keys.public))

    @property
    def all(self) -> list[str | Path]:
        return ["verify", self.receipt, "--input", self.input, "--result", self.result, "--key", self.key]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_what_agrees_is_said(rowcast: Run, case: Case) -> None:
    done = rowcast(*case.all)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 3, b"")
    assert json.loads(rowcast(*case.all, "--json").stdout)["ok"]


def test_a_changed_file_is_named(rowcast: Run, case: Case) -> None:
    case.input.write_bytes(b"age\n2\n")
    case.result.write_bytes(CAME_BACK + b"\n")
    done = rowcast(*case.all)
    assert done.returncode == 1
    assert b"input.sha256 differs" in done.stderr
    assert b"result.sha256 differs" in done.stderr


def test_a_changed_receipt_is_noticed(rowcast: Run, case: Case) -> None:
    case.receipt.write_text(json.dumps({**case.document, "result": described(b"other")}))
    case.result.write_bytes(b"other")
    done = rowcast(*case.all)
    assert done.returncode == 1
    assert b"signature differs" in done.stderr
    assert rowcast(*case.all[:-2]).returncode == 0, "the hash fits: so the signature is what counts"


def test_a_key_that_did_not_sign_is_named(rowcast: Run, case: Case, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.pem")
    done = rowcast(*case.all[:-1], tmp_path / "other.pem")
    assert done.returncode == 1
    assert f"key_id differs: the receipt claims the key '{case.keys.public[0].id}'".encode() in done.stderr
    case.receipt.write_text(json.dumps({**sign(case.document, other), "key_id": case.keys.public[0].id}))
    assert b"signature differs" in rowcast(*case.all).stderr


@pytest.mark.parametrize("name", ["in.csv.gz", "in.zip", "two-members.gz"])
def test_a_compressed_input_is_read(rowcast: Run, case: Case, tmp_path: Path, name: str) -> None:
    case.input = tmp_path / name
    if name == "in.zip":
        with zipfile.ZipFile(case.input, "w") as archive:
            archive.writestr("in.csv", SENT)
    elif name == "in.csv.gz":
        case.input.write_bytes(gzip.compress(SENT))
    else:
        case.input.write_bytes(gzip.compress(SENT[:3]) + gzip.compress(SENT[3:]))
    done = rowcast(*case.all)
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"the content of {case.input}".encode() in done.stdout


def test_without_a_key_it_says_that_only_hashes_were_checked(rowcast: Run, case: Case) -> None:
    done = rowcast(*case.all[:-2])
    assert done.returncode == 0
    assert b"Only hashes are checked, not the signature" in done.stderr
    assert case.keys.public[0].id.encode() in done.stderr


def test_wrong_use_is_2(rowcast: Run, case: Case) -> None:
    assert rowcast("verify", case.receipt).returncode == 2
    assert rowcast("verify", case.folder / "none", "--input", case.input).returncode == 2
    assert rowcast(*case.all[:-1], case.input).returncode == 2, "not a key"
    assert rowcast("verify", case.receipt, "--result", case.folder / "none").returncode == 2
    case.receipt.write_text("{}")
    done = rowcast("verify", case.receipt, "--input", case.input)
    assert (done.returncode, b"This is not a receipt" in done.stderr) == (2, True)


def test_without_the_extra_it_says_what_to_install(rowcast: Run, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cryptography", "rfc8785"):
        monkeypatch.setitem(sys.modules, name, None)
    done = rowcast(*case.all)
    assert (done.returncode, b"pip install 'rowcast[verify]'" in done.stderr) == (2, True)
    assert rowcast(*case.all[:-2]).returncode == 0, "hashes need no extra"


def test_keys_are_made_replaced_and_shown(rowcast: Run, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    for count in (1, 2):
        assert rowcast("receipt-key", "new", "--file", file).returncode == 0
        shown = rowcast("receipt-key", "public", "--file", file)
        assert shown.stdout.count(b"BEGIN PUBLIC KEY") == count
        assert b"PRIVATE" not in shown.stdout
