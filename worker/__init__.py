"""The workers: Celery tasks that score what the gateway queued."""
