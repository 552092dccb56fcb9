"""The views of the API, one group of calls per module, each with its OpenAPI entry."""
