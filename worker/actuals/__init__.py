"""Actuals: joins past predictions with the truth, and measures them."""
