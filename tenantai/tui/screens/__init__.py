"""The places of the console, one module each, and the questions that it asks."""
