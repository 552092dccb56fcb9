"""Repair: bad rows are sent back corrected, and take their places in the result."""
