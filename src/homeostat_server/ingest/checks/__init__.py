"""What makes an item acceptable, one module per signal: pure functions from a decoded request to refusals."""
