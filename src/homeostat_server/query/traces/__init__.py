"""Questions about traces: one by its id, and lists of summaries. It knows no HTTP and no JSON of its own."""
