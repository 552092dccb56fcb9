"""The whole service on one machine: starts the embedded server, worker, upkeep and gateway, and keeps them running."""
