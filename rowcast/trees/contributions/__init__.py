"""How much each feature moved the sum of an ensemble's leaves: path-dependent TreeSHAP, by compiled code."""
