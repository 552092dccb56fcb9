"""Isolation: suspect rows are predicted in a separate process, to find those that kill or hang it."""
