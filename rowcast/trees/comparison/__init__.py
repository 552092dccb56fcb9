"""Whether an accelerated model has the same bits: rows on which they would differ, and the comparison."""
