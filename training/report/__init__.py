"""The report about a training: one HTML file with metrics, warnings and plots."""
