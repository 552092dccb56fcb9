"""Chunks have fewer rows if predicting or explaining takes long."""

import pytest

from rowcast.jobs.actions.chunk_rows import rows_per_chunk
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import ExplanationFacts, Manifest
from rowcast.models.model_set import ModelSet
from rowcast.settings import Settings


@pytest.mark.parametrize(("explain", "rows"), [(None, 50_000), (3, 5_000)])
def test_a_file_that_is_explained_is_cut_into_smaller_chunks(explain: int | None, rows: int) -> None:
    known = {"name": "m", "version": "1", "sha256": "0" * 64, "created_at": "2026-01-01T00:00:00Z"}
    facts = ExplanationFacts(family="boosting", row_seconds=1e-3)
    manifest = Manifest(**known, task="regression", features=[], libraries={}, explanations=facts)  # type: ignore[arg-type]
    settings = Settings.read(chunk_rows=50_000, chunk_timeout_seconds=90)
    assert rows_per_chunk(ModelSet((manifest,)), settings, Options(explain=explain)) == rows
