"""Trace answers: what questions about traces cost on a day of realistic spans, asked of a real platform over HTTP.

Invariant: knows the outside of the server; only the data set is made by the store's own insert, as a day of it would
take a day to send.
"""
