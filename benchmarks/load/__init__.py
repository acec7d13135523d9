"""The load generator: a process of its own that sends restamped bodies and measures the answers.

Invariant: knows OTLP's doors and nothing of what is behind them. It shares the machine with what it loads, so that it
is made to be cheap: bodies are stamped out of templates, answers are read no further than their status.
"""
