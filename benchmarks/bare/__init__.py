"""The engine alone: the segments that the server would make, inserted as the server inserts them, and nothing else.

Invariant: knows the store's adapter and the spool's file format; no HTTP, no spool, no checks. It is what the whole
path is compared with.
"""
