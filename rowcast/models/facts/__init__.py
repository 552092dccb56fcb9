"""Parts of a manifest that are larger values."""
