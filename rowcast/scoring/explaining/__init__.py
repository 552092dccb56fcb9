"""Explanations: how much each feature of a row moved its prediction."""
