"""Request, response and stream-event shapes; no I/O."""
