"""What five minutes of spans come to: calls between services, time on critical paths, patterns of calls."""
