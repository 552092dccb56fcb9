"""Words of messages that every program has: counts, names that are nearly right, exceptions."""
