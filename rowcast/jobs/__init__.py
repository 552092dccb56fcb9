"""Jobs: what a job is, its record in Redis, its files in the store, and the audit of both."""
