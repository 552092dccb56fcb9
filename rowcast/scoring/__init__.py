"""Scoring: bytes of rows in, predictions out. Workers score chunks with it, and registration rehearses with it."""
