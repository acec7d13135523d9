"""Which attribute keys and values there are in a window, for who writes a question."""
