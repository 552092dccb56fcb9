"""The audit: every accepted row is accounted for, or it says what is wrong."""
