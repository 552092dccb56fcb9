"""How the client speaks HTTP: steps, the endpoint that makes them, and the two transports that carry them out."""
