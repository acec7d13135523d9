"""One file a version: `r<number>_<what it makes>.py`."""
