"""The sample: a file like those that will be sent, and the types of its columns."""
