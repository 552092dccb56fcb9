"""Webhooks as values: how far a delivery is, when the next attempt is due, what is shown of the URL."""
