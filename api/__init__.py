"""The gateway: a Flask application that accepts jobs and returns their results. It never loads a model."""
