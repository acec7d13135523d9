"""Who calls whom, how often, how well and how fast."""
