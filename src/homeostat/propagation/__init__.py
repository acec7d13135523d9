"""What travels with work from one process, thread or task to the next: trace, baggage, correlation, tenant and user.

Invariant: values are immutable and live in the OpenTelemetry context. It does not know who makes spans of them.
"""

from homeostat.propagation.carrying import carried, run_in
from homeostat.propagation.correlation import (
    Correlation,
    bound,
    contained,
    correlation_in,
    current,
    new_id,
    with_correlation,
)
from homeostat.propagation.envelopes import Envelope, enveloped, opened
from homeostat.propagation.propagator import (
    CAUSATION_ID,
    CORRELATION_ID,
    FIELDS,
    PropagationConfig,
    PropagationStatistics,
    Propagator,
    Trust,
)
from homeostat.propagation.scopes import Attached, current_context, detached, leave
from homeostat.propagation.threads import carry_into_threads, stop_carrying_into_threads

__all__ = [
    "CAUSATION_ID",
    "CORRELATION_ID",
    "FIELDS",
    "Attached",
    "Correlation",
    "Envelope",
    "PropagationConfig",
    "PropagationStatistics",
    "Propagator",
    "Trust",
    "bound",
    "carried",
    "carry_into_threads",
    "contained",
    "correlation_in",
    "current",
    "current_context",
    "detached",
    "enveloped",
    "leave",
    "new_id",
    "opened",
    "run_in",
    "stop_carrying_into_threads",
    "with_correlation",
]
