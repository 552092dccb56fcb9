"""Doors: the calls of other services' clients, as thin layers over the jobs of `POST /predict`."""
