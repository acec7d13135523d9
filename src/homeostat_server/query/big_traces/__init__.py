"""One trace of any size in windows: its summary, the rows of its tree that somebody looks at, its flame graph."""
