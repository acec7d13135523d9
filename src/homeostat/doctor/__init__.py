"""`homeostat doctor` for a service: what each setting is, what has no effect, and whether a span arrives.

It changes nothing and imports no program but the one that it is asked to look at. It does not know the platform's part
of the command.
"""
