"""The write path: a sender's request becomes durable, then rows, exactly once. It never reads telemetry back."""
