"""Model providers behind small protocols."""
