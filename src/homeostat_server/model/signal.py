"""The three signals. It knows their names, not their tables or wire formats."""

from enum import StrEnum, unique


@unique
class Signal(StrEnum):
    """Name one of the three kinds of telemetry; the value is the word used in paths, folders and metric labels."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
