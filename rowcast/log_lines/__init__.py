"""Log lines as values: as text for people, kept in files, and those of one job in order."""
