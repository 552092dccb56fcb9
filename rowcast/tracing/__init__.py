"""Traces: which HTTP request led to what, across all programs."""
