"""Searching the family and the parameters of a model."""
