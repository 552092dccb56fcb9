"""The audit: checks that every accepted row is accounted for, and reports what is wrong."""
