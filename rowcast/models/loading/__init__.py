"""Opening a model: what is checked before, its own code, and the one module that unpickles."""
