"""The end of a lease, as what converts or plans files raises it."""


class LeaseOver(Exception):
    """The lease of the conversion is over: the job has ended, or another process converts the file."""
