"""The names of the estimators that `rowcast train` fits; the command line shows them without loading scikit-learn."""

FAMILIES = ("logistic_regression", "random_forest", "hist_gradient_boosting")
"""Each name serves both tasks; the target's values decide which one is fitted."""

DEFAULT_FAMILY = "hist_gradient_boosting"

SUFFIXES = {"classification": "_classifier", "regression": "_regressor"}
"""What a name ends with if it asks for one task, for example `random_forest_regressor`."""
