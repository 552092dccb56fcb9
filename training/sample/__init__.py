"""The sample: a file of what will be sent, and what its columns are."""
