"""Start: `configure()` reads the settings, builds each part once, and gives a handle to what it built.

`assembly` is the composition root, read from top to bottom as the order in which parts are built; they end in exact
reverse. The room holds the only state that a process has once: whether it is configured. It has no rule of its own.
"""
