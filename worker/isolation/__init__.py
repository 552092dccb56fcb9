"""Predicting in a process of its own, to find the rows that kill or hang it."""
