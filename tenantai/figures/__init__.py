"""Figures of the moving and storage trade: how much room things take, and what holds them."""
