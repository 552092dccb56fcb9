"""Actuals: what became true, sent as a CSV of key and truth, and how good the predictions were."""
