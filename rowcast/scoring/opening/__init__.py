"""Opening a registered model to predict with it: the golden sample is checked, and the fast path is chosen."""
