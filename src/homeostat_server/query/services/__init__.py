"""Questions about services and their operations: how many requests, how many fail, how long they take."""
