"""Input from requests: bodies, which are read as they arrive, and options."""
