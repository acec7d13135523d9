"""The composition root: builds each object once, in order, and holds the commands. Nobody imports it."""
