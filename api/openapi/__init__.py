"""The document `/openapi.json`: made from the routes, the views' docstrings, the types of answers and `STATUS`."""
