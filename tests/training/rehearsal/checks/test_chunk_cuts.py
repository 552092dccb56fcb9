import pytest

from training.rehearsal.checks.chunk_cuts import chunk_cuts


@pytest.mark.parametrize(
    ("rows", "cuts"),
    [
        (1, [(0, 1)]),
        (64, [(0, 64)]),
        (100, [(0, 64), (64, 100)]),
        (300, [(0, 192), (192, 300), (0, 64), (64, 128), (128, 192), (192, 256)]),
    ],
)
def test_a_file_is_cut_at_multiples_of_64_rows(rows, cuts):
    assert chunk_cuts(rows) == cuts
