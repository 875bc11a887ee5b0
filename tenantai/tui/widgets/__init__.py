"""What several places are made of, one module a widget."""
