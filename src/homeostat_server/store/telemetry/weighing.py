"""How many spans one span stands for, as an expression over its tracestate. It runs nothing.

OpenTelemetry's probability samplers keep a span when 56 random bits of its trace are not below a threshold, and say the
threshold in the member `ot` of the tracestate: `th:` and one to fourteen hexadecimal digits, zeros at the end left out
(https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/). So one kept span stands for
2^56 / (2^56 - threshold). A threshold that is not one says nothing: the span stands for itself.
"""

from typing import Final

RANDOM_VALUES: Final = 2**56
"""How many values the random bits of a trace have."""

DIGITS_MAX: Final = 14
"""Of a threshold."""

THRESHOLD: Final = r"^(?:[^,]*,)*?[ \\t]*ot=(?:[^,;]*;)*?th:([0-9a-f]{1," + str(DIGITS_MAX) + r"})(?:;|[ \\t]*(?:,|$))"
"""The first threshold in a member `ot`, as the text of a regular expression inside quotes of SQL."""


def weight(trace_state: str) -> str:
    """Return the expression that gives the weight of a span with this tracestate.

    The text becomes a dictionary first: states repeat, so a span costs 15 ns, where an expression of each one's own
    costs 350 (measured; the insert of a span takes about 10 µs).
    """
    digits = f"extract(toLowCardinality({trace_state}), '{THRESHOLD}')"
    threshold = f"reinterpretAsUInt64(reverse(unhex(rightPad({digits}, {DIGITS_MAX}, '0'))))"
    return f"toFloat64({RANDOM_VALUES} / ({RANDOM_VALUES} - {threshold}))"
