"""The consumer side of a worker: which messages Celery gets, and whether it still gets any."""
