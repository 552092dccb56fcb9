"""Upkeep: sends lost messages again, expires jobs, removes their files, rebuilds what Redis has lost."""
