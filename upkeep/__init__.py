"""Upkeep: resends lost messages, expires jobs, removes their files, and rebuilds records that Redis lost."""
