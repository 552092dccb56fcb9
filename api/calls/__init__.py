"""The calls of the API: a group of them in each module."""
