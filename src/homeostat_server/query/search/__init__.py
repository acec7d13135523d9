"""The search for traces: which of them have a span that fulfils some conditions, in which order."""
