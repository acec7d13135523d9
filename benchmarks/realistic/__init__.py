"""Realistic OTLP data for all benchmarks."""
from benchmarks.realistic.generation import traces
