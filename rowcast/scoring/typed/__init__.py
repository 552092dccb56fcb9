"""The types of a feature's column, and what its cells have to be for them."""
