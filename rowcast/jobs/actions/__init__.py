"""Actions on whole jobs: submit, receive an upload, cancel, retry, delete."""
