"""The check of a file before it is sent: what its first rows say about its columns, cells and predictions."""
