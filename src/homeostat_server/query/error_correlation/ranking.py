"""From places, factors, storms and convoys to one ranked list of causes. It reads nothing and shows nothing.

docs/adr/0012 has the reasons. What a candidate explains is the harm that goes with it beyond what is expected, as a
share of all excess harm. More specific explanations come before the place in which they show, when they explain nearly
as much.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from homeostat_server.query.error_correlation.factors import Carried, Excess, Factor
from homeostat_server.query.error_correlation.harm import Flags, Harm, Requests
from homeostat_server.query.error_correlation.statistics import Integers, Reals, adjusted, summed, upper_tail
from homeostat_server.query.error_correlation.structure import Convoy, Storm

CauseKind = Literal["operation", "attribute", "retry_storm", "lock_convoy"]

EXPLAINS_MIN: Final = 0.03
"""Of all excess harm: what explains less is no cause."""

SIGNIFICANT: Final = 0.01
"""False discovery rate above which an attribute value is not shown as a cause."""

WEIGHTS: Final = {"operation": 1.0, "lock_convoy": 1.35, "retry_storm": 1.4, "attribute": 1.8}
"""By how much an explanation is preferred to the place where harm shows, explaining equally much."""

BURDEN_WEIGHT: Final = 0.9
"""Of the harm of others that a value's load may have done: that it did is likely, not seen."""

BURDEN_MIN: Final = 0.2
"""From which on the others of a place are no measure for a value: it harmed them, too."""

SAME_OVERLAP: Final = 0.9
IMPLIED_OVERLAP: Final = 0.8
"""Share of a candidate's harm that another one carries as well, from which on they are the same, or it is implied."""

SAME_DEVIATION: Final = 0.85
"""Of the strongest value's deviation, from which on another one that goes with it may be named in its place."""

PRECEDENCE: Final = ("service.version", "container.image.tag", "host.name", "k8s.node.name", "host.id")
"""Among values that go together the earlier key is named: versions are rolled out to instances, which run on hosts."""

DEVIATION_MIN: Final = 3.0
"""Standard deviations from which on a place has more errors, or more delay, than before."""

CAUSES_MAX: Final = 50
CANDIDATES_MAX: Final = 60


@dataclass(slots=True, kw_only=True)
class Candidate:
    """Hold one possible cause.

    Attributes:
        kind: what it is.
        place: where it shows most.
        explained: share of all excess harm, 0 to 1.
        mask: which spans with blame are its.
        harm: the blame that goes with it; expected without it.
        spans: how many carry it in the window; spans_before in the baseline.
        p_value: of its excess; q_value corrected for all that was tested.
        deviation: by how many standard deviations an attribute value's harm is beyond what is expected.
        burden: share of all excess harm that others had, where the value brought much more load than before.
        shadow: share of its harm that a stronger value carries as well.
        factor, storm, convoy: what it is, by kind.
        same: values that go with it so that nobody can tell them apart.
        implied: values that it explains.
    """

    kind: CauseKind
    place: int
    explained: float
    mask: Flags
    harm: float
    expected: float
    spans: float
    spans_before: float
    p_value: float
    q_value: float
    deviation: float = 0.0
    burden: float = 0.0
    shadow: float = 0.0
    factor: Factor | None = None
    storm: Storm | None = None
    convoy: Convoy | None = None
    same: list[Factor] = field(default_factory=list)
    implied: list[Factor] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Return what the list is ordered by."""
        weight = WEIGHTS[self.kind]
        if self.kind == "attribute" and self.burden < BURDEN_MIN:
            weight = 1 + (weight - 1) * min(1.0, max(0.0, np.log2(max(self.lift, 1e-9))))
        return (self.explained * (1 - self.shadow) + BURDEN_WEIGHT * self.burden) * weight

    @property
    def lift(self) -> float:
        """Return how many times the expected harm there is."""
        return self.harm / self.expected if self.expected > 0 else float("inf") if self.harm > 0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigures:
    """Hold the harm of each place.

    Attributes:
        harm: errors and delays, each where there are significantly more than at the rates of the baseline.
        expected: what these would be at the rates of the baseline.
        deviation: by how many standard deviations there are more, of errors or of delays.
        raw_excess: all harm beyond the expected, significant or not, not negative.
        spans: how many spans there are; spans_before in the baseline.
    """

    harm: Reals
    expected: Reals
    deviation: Reals
    raw_excess: Reals
    spans: Reals
    spans_before: Reals

    @property
    def excess(self) -> Reals:
        """Return the significant harm beyond what is expected."""
        return self.harm - self.expected

    @property
    def total(self) -> float:
        """Return the harm that is to be explained: the significant one, all of it where none is."""
        significant = float(self.excess.sum())
        return significant if significant > 0 else float(self.raw_excess.sum())


def figures_of_places(requests: Requests, harm: Harm) -> PlaceFigures:
    """Return the harm by place."""
    trace = requests.forest.trace
    weight, asked, before = requests.weight[trace], requests.is_asked[trace], requests.is_baseline[trace]
    count = requests.places
    spans = summed(requests.place, count, weight * asked)
    spans_before = summed(requests.place, count, weight * before)
    told, usual, raw, deviation = (np.zeros(count) for _ in range(4))
    for blame in (harm.errors, harm.delays):
        found = summed(requests.place, count, blame * asked)
        rate = np.divide(
            summed(requests.place, count, blame * before), spans_before, out=np.zeros(count), where=spans_before > 0
        )
        expected = spans * rate
        # Of counts of rare things, and the baseline's rate is one, too. Less than one request is no deviation.
        spread = np.sqrt(np.maximum(expected * (1 + spans / np.maximum(spans_before, 1)), 1.0))
        deviations = (found - expected) / spread
        is_more = deviations >= DEVIATION_MIN
        told, usual = told + found * is_more, usual + expected * is_more
        raw += np.maximum(found - expected, 0)
        deviation = np.maximum(deviation, deviations)
    return PlaceFigures(
        harm=told, expected=usual, deviation=deviation, raw_excess=raw, spans=spans, spans_before=spans_before
    )


def place_candidates(requests: Requests, harm: Harm, figures: PlaceFigures, places: Integers) -> list[Candidate]:
    """Return places with significantly more harm as causes."""
    asked = requests.is_asked[requests.forest.trace] & (harm.blame > 0)
    p_values = np.array([upper_tail(float(each)) for each in figures.deviation[places]])
    q_values = adjusted(p_values)
    return [
        Candidate(
            kind="operation",
            place=int(place),
            explained=float(figures.excess[place]) / figures.total,
            mask=asked & (requests.place == place),
            harm=float(figures.harm[place]),
            expected=float(figures.expected[place]),
            spans=float(figures.spans[place]),
            spans_before=float(figures.spans_before[place]),
            p_value=float(p_values[number]),
            q_value=float(q_values[number]),
        )
        for number, place in enumerate(places)
        if figures.excess[place] > 0
    ]


Found = list[tuple[Carried, list[Excess]]]
"""What spans carry, and how errors and delays go with it."""


def factor_candidates(requests: Requests, harm: Harm, total: float, found: Found) -> list[Candidate]:
    """Return attribute values as causes: those that go with more errors, or more delay, than chance gives.

    Errors and delays are tested apart: the many small delays of any system would hide a few errors.
    """
    asked = requests.is_asked[requests.forest.trace] & (harm.blame > 0)
    candidates: list[Candidate] = []
    for carried, layers, q_values in _tested(found):
        counts = np.where(q_values <= SIGNIFICANT, 1.0, 0.0)
        share = np.sum([each.excess * count for each, count in zip(layers, counts, strict=True)], axis=0) / total
        enough = np.flatnonzero(share >= EXPLAINS_MIN)
        for number in enough[np.argsort(-share[enough], kind="stable")[:CANDIDATES_MAX]].tolist():
            mask = np.zeros(len(asked), dtype=bool)
            mask[carried.span[carried.factor == number]] = True
            mask &= asked
            told = [layer for layer, count in zip(layers, counts[:, number], strict=True) if count]
            deviation = max(float(layer.deviation[number]) for layer in told)
            burden = sum(float(each.burden[number]) for each in layers) / total
            candidates.append(
                Candidate(
                    kind="attribute",
                    place=int(summed(requests.place[mask], requests.places, harm.blame[mask]).argmax()),
                    explained=float(min(1.0, share[number])),
                    mask=mask,
                    harm=sum(float(layer.harm[number]) for layer in told),
                    expected=max(0.0, sum(float(layer.expected[number]) for layer in told)),
                    spans=float(layers[0].spans[number]),
                    spans_before=float(layers[0].spans_before[number]),
                    p_value=upper_tail(deviation),
                    q_value=float(q_values[:, number].min()),
                    deviation=deviation,
                    burden=min(max(0.0, 1 - float(share[number])), burden),
                    factor=carried.factors[number],
                )
            )
    return candidates


def _tested(found: Found) -> Iterator[tuple[Carried, list[Excess], Reals]]:
    """Yield what was found with the q-values of each layer, corrected for everything that was tested."""
    deviations = [np.concatenate([layer.deviation for layer in layers]) for _, layers in found]
    p_values = [np.array([upper_tail(float(each)) for each in group]) for group in deviations]
    q_values = adjusted(np.concatenate(p_values or [np.empty(0)]))
    at = 0
    for (carried, layers), group in zip(found, p_values, strict=True):
        yield carried, layers, q_values[at : at + len(group)].reshape(len(layers), -1)
        at += len(group)


def folded(candidates: list[Candidate], blame: Reals) -> list[Candidate]:
    """Return attribute values without those that a stronger one implies; it remembers them.

    The strongest is the one whose harm is least likely by chance: a value that covers just what is harmed is stronger
    than one that covers as much harm and many others besides.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: each.deviation, reverse=True):
        number = next((n for n, each in enumerate(kept) if _overlap(candidate, each, blame) >= IMPLIED_OVERLAP), None)
        if number is None:
            candidate.shadow = max((_overlap(candidate, each, blame) for each in kept), default=0.0)
            kept.append(candidate)
            continue
        stronger, weaker = kept[number], candidate
        is_same = _overlap(stronger, candidate, blame) >= SAME_OVERLAP
        if is_same and candidate.deviation >= SAME_DEVIATION * stronger.deviation and _rank(weaker) > _rank(stronger):
            stronger, weaker = candidate, stronger
            kept[number] = stronger
        stronger.same += weaker.same
        stronger.implied += weaker.implied
        if weaker.factor is not None:
            (stronger.same if is_same else stronger.implied).append(weaker.factor)
    return kept


def _rank(candidate: Candidate) -> tuple[bool, int]:
    """Return which of two values that go together is named: what is new, then by key."""
    key = candidate.factor.key if candidate.factor else ""
    rank = len(PRECEDENCE) - PRECEDENCE.index(key) if key in PRECEDENCE else 0
    return candidate.spans_before == 0 and key in PRECEDENCE[:2], rank


def _overlap(one: Candidate, other: Candidate, blame: Reals) -> float:
    """Return which share of one candidate's harm another one carries."""
    own = blame[one.mask].sum()
    return float(blame[one.mask & other.mask].sum() / own) if own else 0.0
