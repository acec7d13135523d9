"""Realistic OTLP data for all benchmarks: fresh ids, times and values stamped into templates of real requests.

Invariant: knows the wire format and nothing of the server that is measured.
"""

from benchmarks.realistic.bodies import Body, Style
from benchmarks.realistic.generation import logs, metrics, traces
from benchmarks.realistic.restamping import Restamper

__all__ = ["Body", "Restamper", "Style", "logs", "metrics", "traces"]
