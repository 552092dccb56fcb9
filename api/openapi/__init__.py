"""The document `/openapi.json`, assembled from the routes and from the entry that each view carries."""
