"""Findings: the sentences that training and adding a model say about the data and the model on the way."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Gets each finding as a sentence."""


def silent(_finding: str) -> None:
    """Says nothing."""
