"""The calls of the client, each written once as steps. `Client` and `AsyncClient` run them."""
