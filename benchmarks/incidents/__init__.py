"""Incidents with a planted cause: a made-up system, a quiet window, and a window in which one thing goes wrong.

Invariant: knows OTLP and nothing of the server that looks for the cause; what was planted is told as data.
"""

from benchmarks.incidents.incident import Incident, make_incident
from benchmarks.incidents.truth import KINDS, Truth

__all__ = ["KINDS", "Incident", "Truth", "make_incident"]
