"""Transformers that act cell by cell: they transform each distinct cell of a column once, with the same bits."""
