"""Loops that keep a system well by themselves: monitor, analyse, plan, execute over what they know.

Source: Kephart and Chess, "The Vision of Autonomic Computing", IEEE Computer 36(1), 2003.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, family_span

AUTONOMIC_LOOP: Final = Family(
    "autonomic-loop",
    "One phase of a loop that adjusts a system by itself.",
    "the loop and the phase: `scaling plan`",
    (
        Declared("loop.name", Shape.TEXT, "Loop: what it keeps well."),
        Declared("loop.phase", Shape.TEXT, "`monitor`, `analyse`, `plan`, `execute` or `learn`."),
        Declared("loop.iteration", Shape.INTEGER, "Which round it is."),
        Declared("loop.target", Shape.TEXT, "What is adjusted."),
        Declared("loop.goal", Shape.TEXT, "What it is kept at."),
        Declared("loop.measured", Shape.NUMBER, "What was measured."),
        Declared("loop.wanted", Shape.NUMBER, "What it should be."),
        Declared("loop.deviation", Shape.NUMBER, "How far it is from there."),
        Declared("loop.decision", Shape.TEXT, "What was decided; `none` where nothing is to be done."),
        Declared("loop.action", Shape.TEXT, "What is done."),
        Declared("loop.confidence", Shape.NUMBER, "How sure the decision is, from 0 to 1."),
        Declared("loop.dry_run", Shape.SWITCH, "Whether it is only said and not done."),
        Declared("loop.approved_by", Shape.TEXT, "Who allowed it: a person, or a policy."),
        Declared("loop.outcome", Shape.TEXT, "`improved`, `unchanged`, `worse` or `rolled_back`."),
    ),
)


def loop_span(
    loop: str,
    phase: str,
    *,
    iteration: int | None = None,
    target: str | None = None,
    goal: str | None = None,
    dry_run: bool | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of one phase of a loop.

    Args:
        loop: what it keeps well.
        phase: `monitor`, `analyse`, `plan`, `execute` or `learn`.
        iteration: which round it is.
        target: what is adjusted.
        goal: what it is kept at.
        dry_run: whether it is only said and not done.
        attributes: more of the family.
    """
    return family_span(
        AUTONOMIC_LOOP,
        f"{loop} {phase}",
        kind=SpanKind.INTERNAL,
        values={
            "loop.name": loop,
            "loop.phase": phase,
            "loop.iteration": iteration,
            "loop.target": target,
            "loop.goal": goal,
            "loop.dry_run": dry_run,
        },
        more=attributes,
    )
