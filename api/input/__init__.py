"""What a request brings: its body, read as it arrives, and its options."""
