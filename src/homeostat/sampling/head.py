"""The decision when a span begins: follow the parent, else draw the lot. It keeps nothing and locks nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from homeostat.sampling.plan import Current, Plan
from homeostat.sampling.weights import RANDOMNESS_MASK, is_consistent, with_threshold

_SAMPLED: Final = 1


class HeadSampler(Sampler):
    """Sample by the plan that is current when a span begins."""

    def __init__(self, current: Current) -> None:
        """Read the plan at each decision."""
        self._current = current

    def should_sample(  # noqa: PLR0917 - the signature is OpenTelemetry's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the decision as the OpenTelemetry SDK asks for it; the parent is in the context."""
        del kind, links, trace_state
        parent = get_current_span(parent_context).get_span_context()
        decision, state = self.decide(parent, trace_id, name, attributes)
        return SamplingResult(decision, attributes, state)

    def decide(
        self, parent: SpanContext | None, trace_id: int, name: str, attributes: Mapping[str, object] | None
    ) -> tuple[Decision, TraceState | None]:
        """Return the decision on a span, and the tracestate that it and its children carry.

        Args:
            parent: the span's parent, here or in another process; None or an invalid one for a root.
            trace_id: the trace, of which a root draws its lot.
            name: the span's name, for the rules.
            attributes: those it begins with, for the rules.
        """
        plan = self._current.plan
        if parent is not None and parent.is_valid:
            return _follow(parent, plan)
        lot = plan.lot_of(name, attributes)
        if trace_id & RANDOMNESS_MASK >= lot.threshold:
            return Decision.RECORD_AND_SAMPLE, lot.trace_state
        return plan.unsampled, None

    def get_description(self) -> str:
        """Return what a person reads about the sampler."""
        return f"Homeostat{{ratio={self._current.plan.config.ratio:g}}}"


def _follow(parent: SpanContext, plan: Plan) -> tuple[Decision, TraceState]:
    is_sampled = bool(parent.trace_flags & _SAMPLED)
    state = parent.trace_state
    # Only what comes from outside may contradict itself; a threshold that does must not become a weight.
    if state and parent.is_remote and not is_consistent(state, parent.trace_id, is_sampled=is_sampled):
        state = with_threshold(state, None)
    return (Decision.RECORD_AND_SAMPLE if is_sampled or plan.diverted is not None else plan.unsampled), state
