"""Documents in, passages and citations out."""
