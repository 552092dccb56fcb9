"""Names of versions: which are valid, and which version an alias means."""
