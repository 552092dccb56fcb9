"""Chunks have fewer rows if predicting or explaining takes long."""

from typing import Any

import pytest

from rowcast.jobs.actions.chunk_rows import rows_per_chunk
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import ExplanationFacts, Manifest
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings


@pytest.mark.parametrize(("explain", "rows"), [(None, 50_000), (3, 5_000)])
def test_a_file_that_is_explained_is_cut_into_smaller_chunks(explain: int | None, rows: int) -> None:
    facts = ExplanationFacts(family="boosting", row_seconds=1e-3)
    assert most_rows(Options(explain=explain), explanations=facts) == rows


@pytest.mark.parametrize(
    ("row_seconds", "rows"), [(1e-5, 50_000), (1e-3, 5_000), (0.2, 64), (0.7, 64), (0.71, 7), (2, 2), (60, 1)]
)
def test_chunks_of_fewer_than_64_rows_are_only_for_models_that_would_time_out(row_seconds: float, rows: int) -> None:
    assert most_rows(Options(), row_seconds=row_seconds) == rows


def most_rows(options: Options, **facts: Any) -> int:
    known = {"name": "m", "version": "1", "sha256": "0" * 64, "created_at": "2026-01-01T00:00:00Z"}
    manifest = Manifest(**known, task="regression", features=[], libraries={}, **facts)  # type: ignore[arg-type]
    settings = Settings.read(chunk_rows=50_000, chunk_timeout_seconds=90)
    return rows_per_chunk(ModelSet((manifest,)), settings, options)
