"""The rehearsal: predicts a sample as the user's script and as the service, and compares bit for bit."""
