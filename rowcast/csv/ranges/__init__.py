"""Ranges of a CSV file: which rows begin in each, found without the bytes before it, and how chunks are cut of them."""
