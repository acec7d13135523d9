"""Benchmarks of Homeostat: each module runs as `python -m benchmarks.<name>`."""
