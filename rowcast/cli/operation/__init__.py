"""The commands of operation: audit, doctor, pause and resume."""
