"""The HTTP server: routes over services."""
