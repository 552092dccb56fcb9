"""Large models, which all processes of a worker have in memory once."""
