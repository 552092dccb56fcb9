"""The check of a file: what it would give if it were sent, found out from its first rows."""
