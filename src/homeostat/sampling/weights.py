"""The weight of a span: how many like it there were for each one that was kept, as W3C tracestate `ot=th:…`.

OpenTelemetry's consistent probability sampling: a trace has 56 random bits, the last of its id or an explicit `rv`. A
span is kept where they are not below a rejection threshold, and the threshold is recorded as `th`, in hexadecimal
digits without the zeros at the end. Whoever counts spans adds their weights, and gets what was there before sampling.

Source: https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and, for the text of the member,
`tracestate-handling` beside it. This module decides nothing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from opentelemetry.trace import TraceState

THRESHOLD_NEVER: Final = 1 << 56
"""One more than the largest randomness: nothing is kept. It has no text, for what is never kept has no weight."""
RANDOMNESS_MASK: Final = THRESHOLD_NEVER - 1
DIGITS: Final = 4
"""Significant hexadecimal digits of a threshold, as the specification recommends: ratios are exact to 1 in 10,000."""

_DIGITS_MAX: Final = 14
_MEMBER: Final = "ot"
_MEMBER_LENGTH_MAX: Final = 256
_MEMBERS_MAX: Final = 32
_KNOWN_MAX: Final = 256
"""Values that were read: a fleet has a few ratios, and each of its requests brings one of their thresholds."""
_TH: Final = re.compile(r"[0-9a-f]{1,14}")
_RV: Final = re.compile(r"[0-9a-f]{14}")


def threshold_of(ratio: float, *, digits: int = DIGITS) -> int:
    """Return the rejection threshold of a ratio in [0, 1], rounded to so many digits after the leading `f`s.

    A ratio above zero never becomes "never", however small it is.
    """
    if ratio <= 0.0:
        return THRESHOLD_NEVER
    exact = THRESHOLD_NEVER - max(1, round(min(ratio, 1.0) * THRESHOLD_NEVER))
    text = f"{exact:014x}"
    leading = len(text) - len(text.lstrip("f"))
    step = 1 << 4 * max(0, _DIGITS_MAX - digits - leading)
    rounded = (exact + step // 2) // step * step
    return rounded if rounded < THRESHOLD_NEVER else exact


def ratio_of(threshold: int) -> float:
    """Return the ratio that a threshold keeps."""
    return (THRESHOLD_NEVER - threshold) / THRESHOLD_NEVER


def threshold_text(threshold: int) -> str:
    """Return a threshold below `THRESHOLD_NEVER` as it is written after `th:`."""
    return f"{threshold:014x}".rstrip("0") or "0"


@dataclass(frozen=True, slots=True)
class SamplingState:
    """Hold what the member `ot` of a tracestate says; None where it says nothing that can be read."""

    threshold: int | None = None
    randomness: int | None = None
    others: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the member's value."""
        threshold = [] if self.threshold is None else [f"th:{threshold_text(self.threshold)}"]
        randomness = [] if self.randomness is None else [f"rv:{self.randomness:014x}"]
        return ";".join((*threshold, *randomness, *self.others))


_NOTHING: Final = SamplingState()
_ALL_KEPT: Final = TraceState([(_MEMBER, "th:0")])


def sampling_state(trace_state: TraceState | None) -> SamplingState:
    """Return what a tracestate says about sampling; what is malformed counts as not said."""
    value = trace_state.get(_MEMBER) if trace_state else None
    return _parsed(value) if value else _NOTHING


@lru_cache(maxsize=_KNOWN_MAX)
def _parsed(value: str) -> SamplingState:
    if len(value) > _MEMBER_LENGTH_MAX:
        return _NOTHING
    threshold: int | None = None
    randomness: int | None = None
    others: list[str] = []
    for part in value.split(";"):
        key, _, text = part.partition(":")
        if key == "th":
            threshold = int(text.ljust(_DIGITS_MAX, "0"), 16) if _TH.fullmatch(text) else None
        elif key == "rv":
            randomness = int(text, 16) if _RV.fullmatch(text) else None
        else:
            others.append(part)
    return SamplingState(threshold, randomness, tuple(others))


def with_threshold(trace_state: TraceState | None, threshold: int | None) -> TraceState:
    """Return a tracestate with another threshold, or with none; all else it says stays, `ot` comes first.

    Where the list is full its last member goes, as W3C Trace Context has it. A member that would become too long stays
    without a threshold: such a span has no known weight.
    """
    if not trace_state:
        return single(threshold) if threshold is not None else TraceState()
    said = sampling_state(trace_state)
    value = SamplingState(threshold, said.randomness, said.others).text()
    if len(value) > _MEMBER_LENGTH_MAX:
        value = SamplingState(None, said.randomness, said.others).text()
    members = [(key, text) for key, text in trace_state.items() if key != _MEMBER]
    if not value:
        return TraceState(members)
    return TraceState([(_MEMBER, value), *members[: _MEMBERS_MAX - 1]])


def single(threshold: int) -> TraceState:
    """Return the tracestate that says a threshold and nothing else."""
    return _ALL_KEPT if threshold == 0 else TraceState([(_MEMBER, f"th:{threshold_text(threshold)}")])


def weight(trace_state: TraceState | None) -> float | None:
    """Return how many spans this one stands for (at least 1); None where its tracestate does not say.

    The specification calls it the adjusted count.
    """
    threshold = sampling_state(trace_state).threshold
    return None if threshold is None else 1.0 / ratio_of(threshold)


def is_consistent(trace_state: TraceState, trace_id: int, *, is_sampled: bool) -> bool:
    """Say whether a parent's threshold, where it tells one, agrees with its sampled flag."""
    said = sampling_state(trace_state)
    if said.threshold is None:
        return True
    randomness = trace_id & RANDOMNESS_MASK if said.randomness is None else said.randomness
    return (randomness >= said.threshold) == is_sampled
