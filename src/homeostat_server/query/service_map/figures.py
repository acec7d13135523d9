"""What calls in a window were like. It knows no node."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Hold rate, errors and durations; of what was sampled, each counts for as many as it stands for.

    Attributes:
        calls: how many there were.
        errors: how many of them failed.
        rate: calls a second, over the whole window.
        error_rate: errors by calls, 0 to 1; 0 without calls.
        p50_ms: half of them took no longer, in milliseconds, to 0.5 % of the value; p95_ms and p99_ms likewise.
    """

    calls: float
    errors: float
    rate: float
    error_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def figures(calls: float, errors: float, quantiles_ns: Sequence[float], *, duration_s: float) -> Figures:
    """Return the figures of calls in a window of this length."""
    p50_ms, p95_ms, p99_ms = (quantile / NS_PER_MS for quantile in quantiles_ns)
    return Figures(
        calls=calls,
        errors=errors,
        rate=calls / duration_s,
        error_rate=errors / calls if calls else 0.0,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )


NONE: Final = Figures(calls=0.0, errors=0.0, rate=0.0, error_rate=0.0, p50_ms=0.0, p95_ms=0.0, p99_ms=0.0)
