"""Where the time of requests goes, and which of it is waited for without need."""
