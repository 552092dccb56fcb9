"""Storage: objects by key, in a folder or in a bucket."""

from rowcast.storage.storage import Disk, Storage, Sync

__all__ = ["Disk", "Storage", "Sync"]
