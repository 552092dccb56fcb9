"""Metrics for Prometheus: of this gateway, and of the whole service."""
