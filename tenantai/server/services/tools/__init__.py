"""Functions that chat calls: built in, and each tenant's own behind an HTTPS endpoint."""
