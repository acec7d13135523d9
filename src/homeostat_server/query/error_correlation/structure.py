"""What the shape of requests says beyond where harm is: calls repeated after failures, and waits for one another.

It knows trees and times, no attributes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from homeostat_server.query.error_correlation.harm import ERROR, Flags, Requests
from homeostat_server.query.error_correlation.statistics import Integers, Reals

REPEATS_RATIO_MIN: Final = 1.3
"""Calls for one that wants an answer, against the baseline, from which on it is a storm."""

REPEATS_MAX_MIN: Final = 4
"""A storm has requests that call as often; a polite client gives up before."""

REPEATED_SHARE_MIN: Final = 0.05
"""Of the callers that call at all: fewer of them repeating make no storm."""

SLICES: Final = 10
"""Stretches of a window in which waiting is compared with itself: a slow rise of everything is not taken for it."""

CONVOY_SPANS_MIN: Final = 30
CONVOY_CORRELATION_MIN: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """Hold an edge on which calls are repeated, and the blame of the failed attempts.

    Attributes:
        caller: place of the entry span that calls; of the edge that most calls take.
        target: place that is called.
        calls: calls for one caller that calls at all, in the window; calls_before in the baseline.
        calls_most: by one caller.
        spans: those of the edge that carry its blame.
    """

    caller: int
    target: int
    calls: float
    calls_before: float
    calls_most: int
    spans: Integers


def find_storms(requests: Requests) -> list[Storm]:
    """Return the edges on which a caller that was failed asks again and again, more than before."""
    forest = requests.forest
    called = np.flatnonzero((requests.entry == np.arange(len(forest.parent))) & (forest.parent >= 0))
    if not len(called):
        return []
    caller = requests.entry[forest.parent[called]].astype(np.int64)
    service, target = forest.service[caller].astype(np.int64), requests.place[called].astype(np.int64)
    edges, edge = np.unique(service * requests.places + target, return_inverse=True)
    groups, group, count = np.unique(caller * len(edges) + edge, return_inverse=True, return_counts=True)
    failed = np.bincount(group, forest.status[called] == ERROR)
    asked = requests.is_asked[forest.trace[groups // len(edges)]]
    before = requests.is_baseline[forest.trace[groups // len(edges)]]
    storms = []
    for number in range(len(edges)):
        of_edge = groups % len(edges) == number
        repeated = of_edge & asked & (count > 1) & (failed > 0)
        now, usual = count[of_edge & asked], count[of_edge & before]
        if not len(now) or repeated.sum() < REPEATED_SHARE_MIN * len(now):
            continue
        calls, calls_before = float(now.mean()), float(usual.mean()) if len(usual) else 1.0
        if calls < REPEATS_RATIO_MIN * calls_before or now.max() < REPEATS_MAX_MIN:
            continue
        spans = called[(edge == number) & repeated[group]]
        callers = requests.place[caller[(edge == number) & repeated[group]]]
        storms.append(
            Storm(
                caller=int(np.bincount(callers).argmax()),
                target=int(edges[number] % requests.places),
                calls=calls,
                calls_before=calls_before,
                calls_most=int(now.max()),
                spans=spans,
            )
        )
    return storms


@dataclass(frozen=True, slots=True, kw_only=True)
class Convoy:
    """Hold how much spans wait for one another.

    Attributes:
        correlation: of how many are there when a span begins with how long it takes, within stretches of time.
        together: how many are there at once, in the mean over the spans; together_before in the baseline.
    """

    correlation: float
    together: float
    together_before: float


def find_convoy(requests: Requests, took_ns: Reals, spans: Integers, group: Integers) -> Convoy | None:
    """Return how much spans wait for one another, None when they do not.

    With a lock, who comes when k are there waits for k others: the time grows with k. When a thing is merely slow, more
    are there at once too (Little's law), but how long one takes does not depend on how many it meets.

    Args:
        requests: the forest.
        took_ns: of each span, the time that may be a wait.
        spans: those that may wait for one another.
        group: of each of them, with which others: a process, or all the same.
    """
    asked = requests.is_asked[requests.forest.trace[spans]]
    met, met_before = _met(requests, spans[asked], group[asked]), _met(requests, spans[~asked], group[~asked])
    # Beside the critical path nobody knows how much of the time was a wait.
    told = np.flatnonzero(requests.forest.critical_paths.is_on[spans[asked]])
    if len(told) < CONVOY_SPANS_MIN:
        return None
    at = spans[asked][told]
    correlation = _within_slices(requests.forest.start_ns[at], met[told], took_ns[at])
    if correlation < CONVOY_CORRELATION_MIN:
        return None
    return Convoy(
        correlation=correlation,
        together=float(met.mean()) + 1,
        together_before=float(met_before.mean()) + 1 if len(met_before) else 1.0,
    )


def _met(requests: Requests, spans: Integers, group: Integers) -> Reals:
    """Return how many of its group each span meets when it begins."""
    starts, ends = requests.forest.start_ns[spans], requests.forest.end_ns[spans]
    met = np.zeros(len(spans))
    for each in np.unique(group):
        of = np.flatnonzero(group == each)
        began = np.searchsorted(np.sort(starts[of]), starts[of], side="left")
        ended = np.searchsorted(np.sort(ends[of]), starts[of], side="right")
        met[of] = began - ended
    return np.maximum(met, 0)


def _within_slices(moment_ns: Integers, one: Reals, other: Reals) -> float:
    """Return the rank correlation of two values within stretches of time."""
    order = np.argsort(moment_ns, kind="stable")
    parts = [part for part in np.array_split(order, SLICES) if len(part) > 2]
    ranks = [[_centred_ranks(values[part]) for part in parts] for values in (one, other)]
    first, second = (np.concatenate(each) for each in ranks)
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / spread if spread else 0.0


def _centred_ranks(values: Reals) -> Reals:
    """Return the ranks of values, equal ones sharing theirs, around 0."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    after = np.cumsum(counts)
    ranks: Reals = ((after + after - counts - 1) / 2)[inverse]
    return ranks - (len(values) - 1) / 2


def flags(count: int, spans: Integers) -> Flags:
    """Return of each span whether it is one of these."""
    marked = np.zeros(count, dtype=bool)
    marked[spans] = True
    return marked
