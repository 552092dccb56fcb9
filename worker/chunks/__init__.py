"""Chunks of files: how one is scored in slices, and stored while the next one is scored."""
