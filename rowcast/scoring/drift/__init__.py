"""Counting the rows of a chunk into the bins of a profile."""
