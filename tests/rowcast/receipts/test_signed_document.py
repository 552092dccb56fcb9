"""Signatures over canonical JSON: whatever is changed is noticed, and the same value written otherwise is the same."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from rfc8785 import CanonicalizationError

from rowcast.receipts.key_files import SigningKeys, make_key
from rowcast.receipts.signed_document import NotReceipt, canonical, is_signed_by, parse, sign

DOCUMENT = {
    "type": "urn:rowcast:receipt:1",
    "counts": {"rows": 3, "bad": 0},
    "options": {"key": ["é", "日本", "😀"], "max_errors": None, "header": True, "share": 0.1},
    "empty": {},
}


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    return make_key(tmp_path / "key.pem")


def changes(value: Any) -> list[Any]:
    """Returns the value with each of its members changed, removed or doubled, one at a time."""
    if isinstance(value, dict):
        found = [{**value, name: other} for name in value for other in changes(value[name])]
        found += [{name: value[name] for name in value if name != left_out} for left_out in value]
        return [*found, {**value, "more": 1}]
    if isinstance(value, list):
        return [[*value[:at], other, *value[at + 1 :]] for at in range(len(value)) for other in changes(value[at])]
    if isinstance(value, bool) or value is None:
        return [0, "", not value]
    return [value + 1] if isinstance(value, int | float) else [value + "x", value[1:]]


def test_every_change_is_noticed(keys: SigningKeys) -> None:
    signed = sign(DOCUMENT, keys)
    assert is_signed_by(signed, keys.public[0])
    for changed in changes(signed):
        assert not is_signed_by(changed, keys.public[0]), changed


def test_the_order_of_members_spaces_and_escapes_do_not_matter(keys: SigningKeys) -> None:
    signed = sign(DOCUMENT, keys)
    for text in (
        json.dumps(signed, sort_keys=True, indent=7),
        json.dumps(dict(reversed(signed.items())), ensure_ascii=False),
        json.dumps(signed).replace("0.1", "1e-1").replace('"rows": 3', '"rows": 3.0'),
    ):
        assert is_signed_by(parse(text.encode()), keys.public[0]), text


def test_another_key_did_not_sign(keys: SigningKeys, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.pem")
    forged = {**sign(DOCUMENT, other), "key_id": keys.public[0].id}
    assert not is_signed_by(forged, keys.public[0])
    assert not is_signed_by(forged, other.public[0]), "the id is signed, too"


def test_canonical_json_is_that_of_rfc_8785() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
        "signature": "is not signed",
    }
    wanted = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(value).decode() == wanted
    assert canonical({"\ufb33": 1, "😀": 2, "1": 3}).decode() == '{"1":3,"😀":2,"\ufb33":1}', "by UTF-16 units"


@pytest.mark.parametrize("value", [2**53, float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_exactly_is_not_signed(keys: SigningKeys, value: Any) -> None:
    with pytest.raises(CanonicalizationError):
        sign({"value": value}, keys)
    assert not is_signed_by({**deepcopy(sign(DOCUMENT, keys)), "value": value}, keys.public[0])


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b"\xff", b"[" * 100_000])
def test_what_is_no_receipt_is_refused(text: bytes) -> None:
    with pytest.raises(NotReceipt):
        parse(text)
