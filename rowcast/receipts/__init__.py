"""Signed receipts of jobs: their keys, their signatures, and how they are checked. It knows neither jobs nor HTTP."""
