"""The commands that compare versions of models, move them into production and back, and remove old ones."""
