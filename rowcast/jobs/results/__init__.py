"""The formats of results and of the list of rows that could not be predicted."""
