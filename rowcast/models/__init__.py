"""Models: what is known about one (manifest), where they are stored (registry), and what loads them (load)."""
