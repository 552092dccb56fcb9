"""Shadows: versions that score a share of an alias's jobs besides the version that it names, to be compared."""
