"""Models: what one promises (manifest), where they lie (registry), and what alone opens them (load)."""
