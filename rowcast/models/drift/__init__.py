"""The profile of a version: how the sample was distributed, with which each batch is compared."""
