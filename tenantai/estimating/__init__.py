"""From what is seen in photos to an inventory someone can move by: pure arithmetic on the figures of the trade."""
