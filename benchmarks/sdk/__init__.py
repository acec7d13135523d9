"""What the SDK costs the process that it observes."""
