"""What is different: between two traces, or between two sets of traces. Paths of calls are compared, not spans."""
