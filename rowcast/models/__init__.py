"""Models: what one promises (manifest), where they lie (registry), and the one place that opens them (load)."""
