"""The ring of API keys: which key a secret belongs to, and that timing does not reveal it."""

import hmac
from pathlib import Path

import pytest

from rowcast import api_keys


def test_a_key_is_compared_with_every_other_in_constant_time_whichever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("first", "second", "last")
    secrets = {name: api_keys.new(tmp_path / "keys", name) for name in names}
    ring = api_keys.KeyRing(tmp_path / "keys")
    compare, compared = hmac.compare_digest, []

    def watched(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, len(theirs)))
        return compare(ours, theirs)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for secret, name in [*((secret, name) for name, secret in secrets.items()), ("rc_nobody's", None), ("", None)]:
        compared.clear()
        holder = ring.holder(secret)
        assert (holder.name if holder else None) == name
        assert len({ours for ours, _ in compared}) == len(compared) == len(names)
        assert {length for _, length in compared} == {32}, "digests, so that timing does not depend on the length"
