import hashlib
import hmac
import json

import pytest

from rowcast.errors import ModelRefused
from rowcast.models.registry import Registry

KEY = "the operator's"


@pytest.fixture
def signing(registry):
    return Registry(registry.storage, KEY)


def content(registry):
    return json.loads(registry.storage.get("m/1/manifest.json"))


def sign_by_hand(manifest):
    """Returns the contract's words: HMAC-SHA256 over the canonical JSON of the manifest without `signature`."""
    rest = {name: value for name, value in manifest.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return manifest | {"signature": hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()}


def put(registry, manifest):
    registry.storage.put("m/1/manifest.json", json.dumps(manifest).encode())


def opened(registry, key=KEY):
    """Returns what a program that starts now gets."""
    fresh = Registry(registry.storage, key)
    return fresh.model_bytes(fresh.resolve("m@1"))


def test_a_signed_model_is_given_out(signing, draft):
    signing.register("m", b"the pickle", draft)
    assert opened(signing) == b"the pickle"


def test_a_program_without_a_key_takes_signed_models_too(signing, draft):
    signing.register("m", b"the pickle", draft)
    assert opened(signing, key=None) == b"the pickle"


def test_an_empty_key_is_none(registry, draft):
    registry.register("m", b"the pickle", draft)
    assert opened(registry, key="") == b"the pickle"


def test_a_model_without_a_signature_is_refused(registry, draft):
    registry.register("m", b"", draft)
    with pytest.raises(ModelRefused, match="m@1 has no signature"):
        opened(registry)


def test_a_model_that_another_key_signed_is_refused(signing, draft):
    signing.register("m", b"", draft)
    with pytest.raises(ModelRefused, match="m@1 is not signed by ROWCAST_MODEL_KEY"):
        opened(signing, key="somebody else's")


@pytest.mark.parametrize("signature", ["", "0" * 64, "ä", "\x00"])
def test_a_signature_that_is_none_is_refused(signing, draft, signature):
    signing.register("m", b"", draft)
    put(signing, content(signing) | {"signature": signature})
    with pytest.raises(ModelRefused, match="is not signed"):
        opened(signing)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": hashlib.sha256(b"another").hexdigest()},
        {"classes": [1, 0]},
        {"classes": [False, True]},
        {"libraries": {"scikit-learn": "1.9.2"}},
        {"features": []},
        {"probabilities": True},
    ],
)
def test_a_manifest_that_was_changed_is_refused(signing, draft, change):
    signing.register("m", b"", draft)
    put(signing, content(signing) | change)
    with pytest.raises(ModelRefused, match="is not signed"):
        opened(signing)


@pytest.mark.parametrize("field", ["metrics", "training", "probabilities"])
def test_a_manifest_that_lost_a_field_is_refused(signing, draft, field):
    signing.register("m", b"", draft)
    put(signing, {name: value for name, value in content(signing).items() if name != field})
    with pytest.raises(ModelRefused, match="is not signed"):
        opened(signing)


def test_the_signature_is_that_of_the_contract(signing, draft):
    signing.register("m", b"", draft)
    assert sign_by_hand(content(signing)) == content(signing)


def test_a_manifest_from_before_a_field_was_there_keeps_its_signature(signing, draft):
    signing.register("m", b"the pickle", draft)
    older = {name: value for name, value in content(signing).items() if name not in ("training", "probabilities")}
    put(signing, sign_by_hand(older))
    assert opened(signing) == b"the pickle"
