"""The description of the HTTP API, OpenAPI 3.1, built from the routes and wire types that run."""
