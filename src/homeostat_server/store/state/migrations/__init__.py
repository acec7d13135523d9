"""The versions of the state's tables, in order. A released one is never edited: a change is a new file."""
