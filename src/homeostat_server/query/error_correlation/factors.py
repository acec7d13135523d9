"""Which attribute values set harm apart: what is carried, and how much harm goes with it. It knows no SQL.

Harm is compared within strata only: spans of one place in requests of one kind. So an attribute that merely goes with a
route, an operation or a service explains nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from homeostat_server.query.error_correlation.harm import Requests
from homeostat_server.query.error_correlation.statistics import Integers, Reals, stratified_deviation, summed

PRIOR: Final = 10.0
"""Spans that a rate of the others is believed to rest on beforehand, so that two of them do not decide."""


LOAD_GROWN_MIN: Final = 0.2
"""Of all calls of a stratum in the baseline: a value that brings so many more has loaded it for the others, too."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Be an attribute value; `service` is set where a value means something within one service only."""

    scope: str
    key: str
    value: str
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Hold which spans carry which factors, as pairs."""

    factors: list[Factor]
    span: Integers
    factor: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Hold how harm goes with factors, each array by factor.

    Attributes:
        harm: the blame of the spans that carry it, in the window asked about.
        expected: what it were if they fared as the others of their place and kind of request.
        spans: how many carry it; spans_before of the baseline.
        deviation: by how many standard deviations harm exceeds what is expected.
        burden: harm beyond the usual of the others, where the factor brought much more load than before.
    """

    harm: Reals
    expected: Reals
    spans: Reals
    spans_before: Reals
    deviation: Reals
    burden: Reals

    @property
    def excess(self) -> Reals:
        """Return the harm that goes with each beyond what is expected."""
        return self.harm - self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Strata:
    """Hold the spans of the harmed places with their stratum, and how many of window and baseline each has."""

    spans: Integers
    of_span: Integers
    asked: Reals
    before: Reals


def stratify(requests: Requests, places: Integers) -> Strata:
    """Return the spans of some places by (place, kind of request)."""
    wanted = np.zeros(requests.places, dtype=bool)
    wanted[places] = True
    spans = np.flatnonzero(wanted[requests.place])
    trace = requests.forest.trace[spans]
    key = requests.place[spans].astype(np.int64) * requests.places + requests.kind[trace]
    known, of_span = np.unique(key, return_inverse=True)
    count = len(known)
    weight = requests.weight[trace]
    asked, before = requests.is_asked[trace], requests.is_baseline[trace]
    return Strata(
        spans=spans,
        of_span=of_span,
        asked=summed(of_span, count, weight * asked),
        before=summed(of_span, count, weight * before),
    )


def _harm_of_strata(requests: Requests, blame: Reals, strata: Strata) -> tuple[Reals, Reals]:
    """Return the blame of each stratum in the window and in the baseline."""
    trace = requests.forest.trace[strata.spans]
    count = len(strata.asked)
    asked, before = (
        summed(strata.of_span, count, blame[strata.spans] * which[trace])
        for which in (requests.is_asked, requests.is_baseline)
    )
    return asked, before


def excess_of_factors(requests: Requests, blame: Reals, strata: Strata, carried: Carried, *, longer: float) -> Excess:
    """Return how much harm goes with each factor.

    The others of a stratum are its spans without the factor. Where there are hardly any, because all carry it, the
    comparison leans on the baseline if the factor is new, and on the stratum itself, which says nothing, if it is not.

    Args:
        requests: the forest.
        blame: of its spans, for errors or for time.
        strata: the spans of the harmed places.
        carried: which of them carry what.
        longer: how many times as long as the baseline the window is; infinite where loads cannot be compared.
    """
    stratum = np.full(len(requests.place), -1)
    stratum[strata.spans] = strata.of_span
    count = len(strata.asked)
    pairs, pair = np.unique(carried.factor * count + stratum[carried.span], return_inverse=True)
    factor, of = pairs // count, pairs % count
    trace = requests.forest.trace[carried.span]
    weight = requests.weight[trace]
    spans = summed(pair, len(pairs), weight * requests.is_asked[trace])
    spans_before = summed(pair, len(pairs), weight * requests.is_baseline[trace])
    harm = summed(pair, len(pairs), blame[carried.span] * requests.is_asked[trace])
    asked, before = strata.asked[of], strata.before[of]
    all_harm, harm_before = (each[of] for each in _harm_of_strata(requests, blame, strata))
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.clip((spans_before / before) / (spans / asked), 0, 1)
        rate_before = np.where(before > 0, harm_before / before, 0.0)
        known = np.where((before > 0) & (spans > 0), known, 1.0)
        prior = known * np.where(asked > 0, all_harm / asked, 0.0) + (1 - known) * rate_before
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.minimum(spans - spans_before * longer, asked - before * longer)
        grown = np.where(before > 0, more / (before * longer), 0.0)
    beyond = np.maximum(all_harm - harm - (asked - spans) * rate_before, 0)
    rate = (all_harm - harm + PRIOR * prior) / (asked - spans + PRIOR)
    groups = len(carried.factors)
    new = (1 - known) * before
    return Excess(
        harm=summed(factor, groups, harm),
        expected=summed(factor, groups, spans * rate),
        spans=summed(factor, groups, spans),
        spans_before=summed(factor, groups, spans_before),
        burden=summed(factor, groups, np.where(grown >= LOAD_GROWN_MIN, beyond, 0.0)),
        deviation=stratified_deviation(
            group=factor,
            groups=groups,
            inside=spans,
            hits=harm,
            outside=asked - spans + new,
            other_hits=all_harm - harm + new * rate_before,
        ),
    )
