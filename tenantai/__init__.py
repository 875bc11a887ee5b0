"""An AI backend for many tenants that one person can run."""

__version__ = "0.1.0"
