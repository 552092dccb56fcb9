"""The consumer of a worker: which messages Celery gets, and whether it still receives any."""
