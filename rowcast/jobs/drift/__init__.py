"""The drift of a batch: what a job shows of it."""
