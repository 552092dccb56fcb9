"""Ensembles of trees as arrays, and the two ways in which they are evaluated. It does not know scikit-learn."""
