"""Fitting: from a file with a target to a fitted pipeline and its metrics."""
