"""Where a model is taken from: a file, a folder that MLflow wrote, or an MLflow server."""
