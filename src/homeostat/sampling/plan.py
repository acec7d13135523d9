"""What a configuration comes to: everything that a decision needs, worked out once and never changed.

Readers take the current plan once for each decision, so that another may take its place at any time without a lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import StatusCode, TraceState

from homeostat.sampling.config import SamplingConfig
from homeostat.sampling.rules import NONE, Matcher
from homeostat.sampling.weights import THRESHOLD_NEVER, single, threshold_of

_NS: Final = 1_000_000_000
_ERROR: Final = StatusCode.ERROR


@dataclass(frozen=True, slots=True)
class Lot:
    """Hold one ratio: its threshold, and the tracestate of what it keeps."""

    threshold: int
    trace_state: TraceState | None


def lot(ratio: float) -> Lot:
    """Return what a ratio comes to."""
    threshold = threshold_of(ratio)
    return Lot(threshold, single(threshold) if threshold < THRESHOLD_NEVER else None)


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold a configuration as decisions need it.

    Attributes:
        config: where it comes from.
        elsewhere: the lot of a trace that no rule is about.
        lots: those of the rules, in their order.
        matcher: finds the rule; None where there is none.
        unsampled: what becomes of a span that is not sampled: nothing, or it is recorded for the tail.
        keeps_errors: whether spans that erred are kept for their own sake.
        slow_ns: from which duration a span is kept for its own sake; None for none.
        diverted: where all spans go instead while a test captures them.
    """

    config: SamplingConfig
    elsewhere: Lot
    lots: tuple[Lot, ...]
    matcher: Matcher | None
    unsampled: Decision
    keeps_errors: bool
    slow_ns: int | None
    diverted: SpanProcessor | None

    def lot_of(self, name: str, attributes: Mapping[str, object] | None) -> Lot:
        """Return the lot of a trace that begins with this span."""
        number = NONE if self.matcher is None else self.matcher.find(name, attributes)
        return self.elsewhere if number == NONE else self.lots[number]

    def tells(self, span: ReadableSpan) -> bool:
        """Say whether a finished span is kept for its own sake, whatever its trace's lot."""
        if self.keeps_errors and span.status.status_code is _ERROR:
            return True
        return self.slow_ns is not None and (span.end_time or 0) - (span.start_time or 0) >= self.slow_ns

    def keeps(self, *, error: bool, duration_s: float) -> bool:
        """Say the same of a span that was not recorded."""
        return (error and self.keeps_errors) or (self.slow_ns is not None and duration_s * _NS >= self.slow_ns)


class Current:
    """Hold the plan that is in force: one reference, swapped whole."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        """Begin with a plan."""
        self.plan: Plan = plan


def plan_of(config: SamplingConfig, *, diverted: SpanProcessor | None = None) -> Plan:
    """Return what a configuration comes to; while spans are captured, everything is kept."""
    captured = diverted is not None
    return Plan(
        config=config,
        elsewhere=lot(1.0 if captured else config.ratio),
        lots=tuple(lot(rule.ratio) for rule in config.rules),
        matcher=Matcher(config.rules) if config.rules and not captured else None,
        unsampled=Decision.RECORD_ONLY if captured or config.tail is not None else Decision.DROP,
        keeps_errors=config.keep_errors,
        slow_ns=None if config.slow_s is None else round(config.slow_s * _NS),
        diverted=diverted,
    )
