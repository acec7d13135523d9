"""The read path: questions become SQL and rows become answers. It never writes telemetry."""
