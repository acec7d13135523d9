"""The Homeostat server: one process that takes telemetry in, keeps it, answers questions and acts on it."""
