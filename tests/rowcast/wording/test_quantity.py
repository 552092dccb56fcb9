import pytest

from rowcast.wording.quantity import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [(0, "row", "0 rows"), (1, "row", "1 row"), (1234, "bad row", "1,234 bad rows"), (2, "mismatch", "2 mismatches")],
)
def test_a_number_has_its_noun(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words
