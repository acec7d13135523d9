"""What telemetry costs here: `homeostat overhead` measures it on the machine that asks.

Each variant runs in a process of its own, and what counts is that process's CPU time, background threads and all. It
knows the SDK only from outside, as a service does.
"""
