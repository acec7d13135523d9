"""From places, factors, storms and convoys to one ranked list of causes. It reads nothing and shows nothing.

docs/adr/0012 has the reasons. What a candidate explains is the harm that goes with it beyond what is expected, as a
share of all excess harm. More specific explanations come before the place in which they show, when they explain nearly
as much.
"""

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
        return (self.explained + BURDEN_WEIGHT * self.burden) * weight

    @property
    def lift(self) -> float:
        """Return how many times the expected harm there is."""
        return self.harm / self.expected if self.expected > 0 else float("inf") if self.harm > 0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigures:
    """Hold the harm of each place, and what it would be at the rates of the baseline."""

    harm: Reals
    expected: Reals
    spans: Reals
    spans_before: Reals

    @property
    def excess(self) -> Reals:
        """Return the harm beyond what is expected, not negative."""
        return np.maximum(self.harm - self.expected, 0)


def figures_of_places(requests: Requests, harm: Harm) -> PlaceFigures:
    """Return the harm by place."""
    trace = requests.forest.trace
    weight, asked, before = requests.weight[trace], requests.is_asked[trace], requests.is_baseline[trace]
    count = requests.places
    spans = summed(requests.place, count, weight * asked)
    spans_before = summed(requests.place, count, weight * before)
    harm_before = summed(requests.place, count, harm.blame * before)
    rate = np.divide(harm_before, spans_before, out=np.zeros(count), where=spans_before > 0)
    return PlaceFigures(
        harm=summed(requests.place, count, harm.blame * asked),
        expected=spans * rate,
        spans=spans,
        spans_before=spans_before,
    )


def place_candidates(requests: Requests, harm: Harm, figures: PlaceFigures, places: Integers) -> list[Candidate]:
    """Return places as causes."""
    total = figures.excess.sum()
    asked = requests.is_asked[requests.forest.trace] & (harm.blame > 0)
    candidates = []
    for place in places:
        expected = figures.expected[place]
        deviation = (figures.harm[place] - expected) / np.sqrt(max(expected, 1.0))
        p_value = upper_tail(float(deviation))
        candidates.append(
            Candidate(
                kind="operation",
                place=int(place),
                explained=float(figures.excess[place] / total),
                mask=asked & (requests.place == place),
                harm=float(figures.harm[place]),
                expected=float(expected),
                spans=float(figures.spans[place]),
                spans_before=float(figures.spans_before[place]),
                p_value=p_value,
                q_value=p_value,
            )
        )
    return candidates


def factor_candidates(
    requests: Requests, harm: Harm, total: float, found: list[tuple[Carried, Excess]]
) -> list[Candidate]:
    """Return attribute values as causes: those that go with more harm than chance gives."""
    deviations = np.concatenate([excess.deviation for _, excess in found] or [np.empty(0)])
    p_values = np.array([upper_tail(float(each)) for each in deviations])
    q_values = adjusted(p_values)
    asked = requests.is_asked[requests.forest.trace] & (harm.blame > 0)
    candidates: list[Candidate] = []
    at = 0
    for carried, excess in found:
        share = excess.excess / total
        enough = np.flatnonzero((share >= EXPLAINS_MIN) & (q_values[at : at + len(share)] <= SIGNIFICANT))
        for number in enough[np.argsort(-share[enough], kind="stable")[:CANDIDATES_MAX]]:
            mask = np.zeros(len(asked), dtype=bool)
            mask[carried.span[carried.factor == number]] = True
            mask &= asked
            blame_by_place = summed(requests.place[mask], requests.places, harm.blame[mask])
            candidates.append(
                Candidate(
                    kind="attribute",
                    place=int(blame_by_place.argmax()),
                    explained=float(min(1.0, share[number])),
                    mask=mask,
                    harm=float(excess.harm[number]),
                    expected=float(max(0.0, excess.expected[number])),
                    spans=float(excess.spans[number]),
                    spans_before=float(excess.spans_before[number]),
                    p_value=float(p_values[at + number]),
                    q_value=float(q_values[at + number]),
                    deviation=float(excess.deviation[number]),
                    burden=float(min(max(0.0, 1 - share[number]), excess.burden[number] / total)),
                    factor=carried.factors[number],
                )
            )
        at += len(share)
    return candidates


def folded(candidates: list[Candidate], blame: Reals) -> list[Candidate]:
    """Return attribute values without those that a stronger one implies; it remembers them.

    The strongest is the one whose harm is least likely by chance: a value that covers just what is harmed is stronger
    than one that covers as much harm and many others besides.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: each.deviation, reverse=True):
        number = next((n for n, each in enumerate(kept) if _overlap(candidate, each, blame) >= IMPLIED_OVERLAP), None)
        if number is None:
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
