"""Loading a model: the checks before, its own code, and the only module that unpickles."""
