"""The formats in which a trained model is saved, and which of them a file has."""
