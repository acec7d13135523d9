"""Which requests are harmed, and where in each the harm was done. It knows trees of spans, no attributes and no SQL.

A failing request weighs one (times its sampling weight) and is laid on the spans where its errors began. Any other one
weighs by its delay, at most one, and is laid on the spans whose own time on the critical path exceeds what such
requests usually spend there; a delay that turns a usual request into a slow one weighs one. What repeated calls cost is
laid on the attempts that failed. An error that did not reach the root did little harm, but it tells.

Invariant: the blame of a request's spans adds up to its weight when it fails, else to no more than that and a fifth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from homeostat_server.query.error_correlation.statistics import Integers, Reals, grouped_quantile, summed
from homeostat_server.query.forest.forest import Forest

Flags = NDArray[np.bool_]

ERROR: Final = 2
"""OTLP's number of the status error."""

SLOW_LEVEL: Final = 0.95
"""A request is slow when it takes longer than this share of the usual ones of its kind."""

HANDLED_WEIGHT: Final = 0.2
"""Of a request with an error that did not reach its root."""

USUAL_MIN: Final = 20
"""Requests of a kind, below which nobody can say what is usual for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Hold a forest with what its traces are to the question, by trace: `root` is a span.

    Attributes:
        forest: the spans.
        self_ns: of each span, its own time on the critical path.
        place: of each span, which (service, operation, kind) it is.
        places: how many there are; the first span of each is in `place_span`.
        root: of each trace, its first span without a parent here.
        weight: of each trace, for how many requests it stands.
        is_asked: of each trace, whether it is of the window that is asked about.
        is_baseline: of each trace, whether it says what is usual; with the good requests of the same window, some
            traces are both.
        entry: of each span, the span by which its service was entered.
    """

    forest: Forest
    self_ns: Reals
    place: Integers
    place_span: Integers
    root: Integers
    weight: Reals
    is_asked: Flags
    is_baseline: Flags
    entry: Integers

    @property
    def places(self) -> int:
        """Return how many places there are."""
        return len(self.place_span)

    @property
    def kind(self) -> Integers:
        """Return of each trace the place of its root, which is the kind of request it is."""
        return self.place[self.root]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """Hold which traces are harmed, and the blame of each span.

    Attributes:
        is_failing: of each trace.
        is_slow: of each trace; a failing one is not.
        errors: the blame of each span for errors.
        delays: its blame for time.
        origin: of each span, whether an error began there, also one that did no harm in the end.
        repeats: of each span, how often its caller called its operation in this request, where one of these failed; 0
            where none did.
        slow_ns: of each place as a kind of request, from where on it is slow.
    """

    is_failing: Flags
    is_slow: Flags
    errors: Reals
    delays: Reals
    origin: Flags
    repeats: Integers
    slow_ns: Reals

    @property
    def blame(self) -> Reals:
        """Return the blame of each span."""
        return self.errors + self.delays


def find_harm(requests: Requests, *, with_errors: bool, with_slowness: bool, slow_ns: int | None) -> Harm:
    """Return what is harmed, and where it was done.

    Args:
        requests: those of the window and of the baseline.
        with_errors: whether a failing request is harmed.
        with_slowness: whether a slow one is.
        slow_ns: from where on any request is slow; what is usual for its kind when not given.
    """
    is_failing = requests.forest.status[requests.root] == ERROR
    took_ns = _took_ns(requests)
    limit_ns, middle_ns = _usual_limits(requests, took_ns, ~is_failing)
    if slow_ns is not None:
        limit_ns = np.full(requests.places, float(slow_ns))
    is_slow = (took_ns > limit_ns[requests.kind]) & ~is_failing & with_slowness
    is_failing &= with_errors
    origin = _origins(requests)
    errors, delays = np.zeros(len(origin)), np.zeros(len(origin))
    if with_slowness:
        counted = ~is_failing if slow_ns is None else is_slow
        scale_ns = limit_ns - middle_ns if slow_ns is None else None
        is_usual = requests.is_baseline & ~is_failing & ~is_slow
        delays = _blame_of_time(requests, counted, is_usual=is_usual, scale_ns=scale_ns)
    if with_errors:
        errors = _blame_of_errors(requests, is_failing, origin) + _blame_of_handled(requests, is_failing, origin)
    repeats = _repeats(requests)
    return Harm(
        is_failing=is_failing,
        is_slow=is_slow,
        errors=_laid_on_failed_attempts(requests, errors, repeats),
        delays=_laid_on_failed_attempts(requests, delays, repeats),
        origin=origin,
        repeats=repeats,
        slow_ns=limit_ns,
    )


def _took_ns(requests: Requests) -> Reals:
    forest = requests.forest
    took: Reals = (forest.end_ns - forest.start_ns)[requests.root].astype(np.float64)
    return took


def _usual_limits(requests: Requests, took_ns: Reals, is_good: Flags) -> tuple[Reals, Reals]:
    """Return from where on a request of each kind is slow (never, where few are known), and what half of them take."""
    usual = requests.is_baseline & is_good
    kind, weight = requests.kind[usual], requests.weight[usual]
    totals = summed(kind, requests.places, weight)
    limit_ns, middle_ns = (
        grouped_quantile(kind, took_ns[usual], weight, totals=totals, level=level) for level in (SLOW_LEVEL, 0.5)
    )
    is_known = np.bincount(kind, minlength=requests.places) >= USUAL_MIN
    return np.where(is_known, limit_ns, np.inf), middle_ns


def _origins(requests: Requests) -> Flags:
    """Return which spans fail without a child that does."""
    forest = requests.forest
    fails: Flags = forest.status == ERROR
    has_failing_child = np.zeros(len(fails), dtype=bool)
    has_failing_child[forest.parent[fails & (forest.parent >= 0)]] = True
    return fails & ~has_failing_child


def _blame_of_errors(requests: Requests, is_failing: Flags, origin: Flags) -> Reals:
    """Return the blame of the errors that reached the root: they have failing spans only above them."""
    forest = requests.forest
    reaches = forest.status == ERROR
    reaches &= is_failing[forest.trace]
    for spans in forest.levels[1:]:
        reaches[spans] &= reaches[forest.parent[spans]]
    guilty = reaches & origin
    shares = np.bincount(forest.trace[guilty], minlength=len(requests.root))
    blame = np.zeros(len(origin))
    blame[guilty] = (requests.weight / np.maximum(shares, 1))[forest.trace[guilty]]
    return blame


def _blame_of_handled(requests: Requests, is_harmed: Flags, origin: Flags) -> Reals:
    """Return the blame of errors in requests that went well all the same."""
    trace = requests.forest.trace
    guilty = origin & ~is_harmed[trace]
    shares = np.bincount(trace[guilty], minlength=len(requests.root))
    blame = np.zeros(len(origin))
    blame[guilty] = (HANDLED_WEIGHT * requests.weight / np.maximum(shares, 1))[trace[guilty]]
    return blame


def _blame_of_time(requests: Requests, counted: Flags, *, is_usual: Flags, scale_ns: Reals | None) -> Reals:
    """Return the blame of what requests spend beyond what good ones of their kind usually do, place by place.

    Args:
        requests: the forest.
        counted: the traces that can have blame.
        is_usual: those that say what is usual.
        scale_ns: by kind of request, the delay that weighs one, less weighing less; each weighs one when not given.
    """
    forest, places = requests.forest, requests.places
    groups, group = np.unique(forest.trace.astype(np.int64) * places + requests.place, return_inverse=True)
    trace, place = groups // places, groups % places
    spent_ns = summed(group, len(groups), requests.self_ns)
    usual_ns = _usual_ns(requests, trace, place, spent_ns, is_usual=is_usual)
    beyond_ns = np.where(counted[trace], np.maximum(spent_ns - usual_ns, 0), 0.0)
    of_trace_ns = summed(trace, len(requests.root), beyond_ns)
    one_ns = of_trace_ns if scale_ns is None else np.maximum(scale_ns[requests.kind], of_trace_ns)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(beyond_ns > 0, beyond_ns / one_ns[trace], 0.0)
        of_span = np.where(spent_ns[group] > 0, requests.self_ns / spent_ns[group], 0.0)
    blame: Reals = share[group] * of_span * requests.weight[forest.trace]
    if scale_ns is None:
        # Slow, and nowhere slower than usual: it is the root's.
        unexplained = counted & (of_trace_ns <= 0)
        blame[requests.root[unexplained]] = requests.weight[unexplained]
    return blame


def _usual_ns(requests: Requests, trace: Integers, place: Integers, spent_ns: Reals, *, is_usual: Flags) -> Reals:
    """Return of each (trace, place) what requests of that kind usually spend there; many do not go there."""
    kind = requests.kind[trace]
    pairs, pair = np.unique(kind * requests.places + place, return_inverse=True)
    of_kind = summed(requests.kind[is_usual], requests.places, requests.weight[is_usual])
    usual = is_usual[trace]
    medians = grouped_quantile(
        pair[usual],
        spent_ns[usual],
        requests.weight[trace[usual]],
        totals=of_kind[pairs // requests.places],
        level=0.5,
    )
    return medians[pair]


def _repeats(requests: Requests) -> Integers:
    """Return of each entry span how many calls its caller made to its place, where one of them failed."""
    forest = requests.forest
    called = np.flatnonzero((requests.entry == np.arange(len(requests.entry))) & (forest.parent >= 0))
    caller = requests.entry[forest.parent[called]].astype(np.int64)
    _, group, count = np.unique(
        caller * requests.places + requests.place[called], return_inverse=True, return_counts=True
    )
    failed = np.bincount(group, forest.status[called] == ERROR)
    repeats = np.zeros(len(requests.entry), dtype=np.int64)
    repeats[called] = np.where((failed > 0)[group], count[group], 0)
    return repeats


def _laid_on_failed_attempts(requests: Requests, blame: Reals, repeats: Integers) -> Reals:
    """Return the blame after what repeated calls and the waits between them cost was laid on the failed attempts."""
    forest = requests.forest
    again = np.flatnonzero(repeats >= 2)
    if not len(again):
        return blame
    client = forest.parent[again]
    caller = requests.entry[client]
    _, group = np.unique(caller.astype(np.int64) * requests.places + requests.place[again], return_inverse=True)
    taken = summed(group, int(group.max()) + 1, blame[again] + np.where(client != caller, blame[client], 0.0))
    callers, first = np.unique(caller, return_index=True)
    taken += summed(group[first], len(taken), blame[callers])
    laid = blame.copy()
    laid[again] = laid[client] = laid[callers] = 0.0
    guilty = forest.status[again] == ERROR
    share = taken / np.maximum(np.bincount(group, guilty), 1)
    np.add.at(laid, _where_it_began(requests, again[guilty]), share[group[guilty]])
    return laid


def _where_it_began(requests: Requests, spans: Integers) -> Integers:
    """Return of each failed span the span below it where its error began."""
    forest = requests.forest
    fails = np.flatnonzero((forest.status == ERROR) & (forest.parent >= 0))
    below = np.arange(len(forest.parent))
    below[forest.parent[fails]] = fails
    while True:
        deeper = below[spans]
        if np.array_equal(deeper, spans):
            return spans
        spans = deeper
