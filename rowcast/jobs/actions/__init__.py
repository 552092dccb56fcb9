"""What is done with jobs as a whole: submitting one, receiving an upload."""
