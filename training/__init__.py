"""Training: fits a pipeline from a CSV, measures it, and registers it."""
