"""Calls that wait for each other without need: many alike, several one after the other, too many for a pool.

A pattern is looked for among the calls that one span made and waited for, by one clock:

- `n_plus_one`: at least five calls of one shape, one after the other. A list was read, then each of its items.
- `sequential`: at least three calls of different shapes, strictly one after the other, that make up most of their
  parent, none of them most of the time. Made at once they would take as long as the longest.
- `saturation`: at least eight calls of one shape run several at a time, as many as a pool has places; whenever one
  ends the next begins. With a larger pool they would take as long as the longest.

One span proves nothing: whoever reads the counts asks how many spans of an operation show a pattern. It knows a forest
and what its spans called; it knows no thresholds of an answer.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.clocks import CLIENT
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.forest.identity import NOBODY
from homeostat_server.query.summaries.calls import ERROR
from homeostat_server.query.summaries.grouping import Groups, group

N_PLUS_ONE: Final = 0
SEQUENTIAL: Final = 1
SATURATION: Final = 2
NAMES: Final = (b"n_plus_one", b"sequential", b"saturation")

ALIKE_MIN: Final = 5
"""Calls of one shape: two or three are a loop over what a page shows, or one call with its retries."""

DIFFERENT_MIN: Final = 3
DIFFERENT_MAX: Final = 12
"""More different calls in a row are a batch job, not a request that somebody waits for."""

OVERLAP_MAX: Final = 0.1
"""Of the time of calls that are one after the other: clocks and event loops make a little of it."""

COVERED_MIN: Final = 0.6
"""Of a parent's time that is spent in calls: otherwise it has something else to do between them."""

LONGEST_MAX: Final = 0.7
"""Of the time of sequential calls that may be one call's: more of it, and making them at once saves little."""

QUEUED_MIN: Final = 8
PLACES_MIN: Final = 2
WAVES_MIN: Final = 2.0
"""Calls a place of a pool: with fewer nobody has waited."""

BUSY_MIN: Final = 0.8
"""Of a pool's places that are taken on average until the last calls begin to end."""

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Hold what each call looks like: whoever does the work, and the operation there."""

    of: Codes
    service: Codes
    operation: Codes
    peer: Codes


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the places where a pattern was seen, one entry a parent.

    Attributes:
        pattern: its number in `NAMES`.
        parent: the span whose calls show it.
        calls: how many calls they are.
        spent_ns: how long they took from the first to the last.
        wasted_ns: how much shorter they would be otherwise.
        places: how many ran at once, for saturation; else 0.
        signature: a number that is the same for the same shapes.
        example: one of the calls.
    """

    pattern: Codes
    parent: Codes
    calls: Codes
    spent_ns: Codes
    wasted_ns: Codes
    places: Codes
    signature: npt.NDArray[np.uint64]
    example: Codes


@dataclass(frozen=True, slots=True)
class _Calls:
    """Hold calls by parent and start, with times within each parent's group."""

    span: Codes
    parent: Codes
    shape: Codes
    begin: Codes
    end: Codes


def shapes(forest: Forest, peer: Codes) -> Shapes:
    """Return the shape of each span as a call: that of the first span that another service made for it, else its own.

    Args:
        forest: whose spans they are.
        peer: a number of the peer that each span names, -1 for none.
    """
    far = np.arange(len(forest))
    remote = np.flatnonzero(forest.calls.is_remote)[::-1]
    far[forest.parent[remote]] = remote  # the first child is written last
    service, operation = forest.service[far].astype(np.int64), forest.operation[far].astype(np.int64)
    named = np.where(far == np.arange(len(forest)), peer, NOBODY)
    return Shapes(of=group(service, operation, named + 1).of, service=service, operation=operation, peer=named)


def find_patterns(forest: Forest, shape: Shapes, *, counted: Flags) -> Found:
    """Return where the calls of a span that counts show a pattern."""
    calls = _calls(forest, shape, counted)
    alike = group(calls.parent, calls.shape)
    parts = [_alike(forest, calls, alike), _saturated(calls, alike), _sequential(forest, calls)]
    return Found(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Found)}
    )


def _calls(forest: Forest, shape: Shapes, counted: Flags) -> _Calls:
    """Return the calls that were waited for, of parents that made several."""
    is_call = (forest.kind == CLIENT) | (forest.calls.is_remote & ~forest.calls.is_awaited)
    above = np.where(forest.parent == NOBODY, 0, forest.parent)
    chosen = np.zeros(len(forest), dtype=bool)
    if len(forest):
        chosen = is_call & ~forest.critical_paths.is_root & counted[above]
    spans = np.flatnonzero(chosen)
    parent = forest.parent[spans].astype(np.int64)
    several = np.bincount(parent, minlength=len(forest))[parent] >= DIFFERENT_MIN
    spans, parent = spans[several], parent[several]
    begin = forest.start_ns[spans] + forest.moved_ns[spans]
    end = forest.end_ns[spans] + forest.moved_ns[spans]
    order = np.lexsort((spans, begin, parent))
    return _Calls(spans[order], parent[order], shape.of[spans[order]], begin[order], end[order])


@dataclass(frozen=True, slots=True)
class _Runs:
    """Hold rows by group and then as they were, and where each group begins and ends."""

    order: Codes
    begins: Codes
    groups: Codes

    def reduce(self, operation: np.ufunc, values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
        reduced: npt.NDArray[np.int64] = operation.reduceat(values[self.order], self.begins)
        return reduced


def _runs(groups: Groups, chosen: Codes) -> _Runs:
    """Return the rows of some groups."""
    wanted = np.zeros(len(groups), dtype=bool)
    wanted[chosen] = True
    rows = np.flatnonzero(wanted[groups.of])
    order = rows[np.argsort(groups.of[rows], kind="stable")]
    lengths = groups.count()[chosen]
    return _Runs(order, np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64), chosen)


def _alike(forest: Forest, calls: _Calls, alike: Groups) -> Found:
    """Return parents that made many calls of one shape, one after the other."""
    chosen = np.flatnonzero(alike.count() >= ALIKE_MIN)
    if not len(chosen):
        return _nothing()
    runs = _runs(alike, chosen)
    lasted = calls.end - calls.begin
    spent = runs.reduce(np.maximum, calls.end) - runs.reduce(np.minimum, calls.begin)
    total = runs.reduce(np.add, lasted)
    failed = runs.reduce(np.add, (forest.status[calls.span] == ERROR).astype(np.int64))
    longest = runs.reduce(np.maximum, lasted)
    count = alike.count()[chosen]
    overlap = _overlap(calls, runs)
    is_it = (overlap <= total * OVERLAP_MAX) & (2 * failed < count) & (total > 0)
    first = runs.order[runs.begins]
    found = Found(
        np.full(len(first), N_PLUS_ONE),
        calls.parent[first],
        calls=count,
        spent_ns=total,
        wasted_ns=np.minimum(total, spent) - longest,
        places=np.zeros(len(first), np.int64),
        signature=calls.shape[first].astype(np.uint64),
        example=calls.span[first],
    )
    return _only(found, is_it)


def _overlap(calls: _Calls, runs: _Runs) -> Codes:
    """Return for each run how much of its calls ran while an earlier one did."""
    begin, end = calls.begin[runs.order], calls.end[runs.order]
    number = _number(runs)
    # Ends so far within a run: runs are lifted above each other so that one maximum goes through all.
    base = np.minimum.reduceat(begin, runs.begins)[number]
    lift = (int((end - base).max()) + 1) * number
    reached = np.maximum.accumulate(end - base + lift) - lift
    before = np.concatenate([[0], reached[:-1]])
    before[runs.begins] = 0
    shared = np.clip(np.minimum(before, end - base) - (begin - base), 0, None)
    shared[runs.begins] = 0
    overlap: Codes = np.add.reduceat(shared, runs.begins)
    return overlap


def _saturated(calls: _Calls, alike: Groups) -> Found:
    """Return parents whose many calls of one shape ran as many at a time as a pool has places."""
    chosen = np.flatnonzero(alike.count() >= QUEUED_MIN)
    if not len(chosen):
        return _nothing()
    runs = _runs(alike, chosen)
    count = alike.count()[chosen]
    places, full_until = _concurrency(calls, runs)
    begin = runs.reduce(np.minimum, calls.begin)
    spent = runs.reduce(np.maximum, calls.end) - begin
    lasted = calls.end - calls.begin
    total, longest = runs.reduce(np.add, lasted), runs.reduce(np.maximum, lasted)
    last_begin = runs.reduce(np.maximum, calls.begin)
    before_last = _time_before(calls, runs, last_begin)
    busy = before_last / np.maximum(1, (last_begin - begin) * np.maximum(places, 1))
    is_it = (
        (places >= PLACES_MIN)
        & (count >= WAVES_MIN * places)
        & (busy >= BUSY_MIN)
        & (full_until >= 0.5)
        & (total > 0)
        & (spent > longest)
    )
    first = runs.order[runs.begins]
    found = Found(
        np.full(len(first), SATURATION),
        calls.parent[first],
        calls=count,
        spent_ns=spent,
        wasted_ns=spent - longest,
        places=places,
        signature=calls.shape[first].astype(np.uint64),
        example=calls.span[first],
    )
    return _only(found, is_it)


def _concurrency(calls: _Calls, runs: _Runs) -> tuple[Codes, Reals]:
    """Return how many calls of each run were under way at most, and the share of them that began at that height."""
    number = _number(runs)
    begin, end = calls.begin[runs.order], calls.end[runs.order]
    # What ends when another begins has ended: at one time ends come first.
    times = np.concatenate([end, begin])
    change = np.concatenate([np.full(len(end), -1), np.ones(len(begin), np.int64)])
    owner = np.concatenate([number, number])
    order = np.lexsort((change, times, owner))
    running = np.cumsum(change[order])  # each run ends with nothing under way
    starts = np.searchsorted(owner[order], np.arange(len(runs.begins)))
    places: Codes = np.maximum.reduceat(running, starts)
    is_begin = change[order] == 1
    at_cap = is_begin & (running == places[owner[order]])
    share = np.add.reduceat(at_cap.astype(np.int64), starts) / np.maximum(1, np.add.reduceat(is_begin, starts))
    return places, share


def _time_before(calls: _Calls, runs: _Runs, until: Codes) -> Codes:
    """Return the time of the calls of each run up to a moment."""
    number = _number(runs)
    begin, end = calls.begin[runs.order], calls.end[runs.order]
    part = np.clip(np.minimum(end, until[number]) - begin, 0, None)
    before: Codes = np.add.reduceat(part, runs.begins)
    return before


def _sequential(forest: Forest, calls: _Calls) -> Found:
    """Return parents that made different calls strictly one after the other."""
    by_parent = group(calls.parent)
    count = by_parent.count()
    chosen = np.flatnonzero((count >= DIFFERENT_MIN) & (count <= DIFFERENT_MAX))
    if not len(chosen):
        return _nothing()
    runs = _runs(by_parent, chosen)
    lasted = calls.end - calls.begin
    total, longest = runs.reduce(np.add, lasted), runs.reduce(np.maximum, lasted)
    first = runs.order[runs.begins]
    parent = calls.parent[first]
    of_parent = forest.end_ns[parent] - forest.start_ns[parent]
    different = np.bincount(_number(runs), weights=_is_new(calls, runs), minlength=len(chosen))
    is_it = (
        (different == count[chosen])
        & (_overlap(calls, runs) == 0)
        & (total >= COVERED_MIN * of_parent)
        & (longest <= LONGEST_MAX * total)
        & (total > 0)
    )
    found = Found(
        np.full(len(first), SEQUENTIAL),
        parent,
        calls=count[chosen],
        spent_ns=total,
        wasted_ns=total - longest,
        places=np.zeros(len(first), np.int64),
        signature=_signature(calls, runs),
        example=calls.span[first],
    )
    return _only(found, is_it)


def _number(runs: _Runs) -> Codes:
    return np.repeat(np.arange(len(runs.begins)), np.diff(np.append(runs.begins, len(runs.order))))


def _is_new(calls: _Calls, runs: _Runs) -> Reals:
    """Say of each row of the runs whether it is the first of its shape in its run."""
    firsts = group(_number(runs), calls.shape[runs.order]).first
    new = np.zeros(len(runs.order))
    new[firsts] = 1.0
    return new


def _signature(calls: _Calls, runs: _Runs) -> npt.NDArray[np.uint64]:
    """Return a number for the set of shapes of each run: a sum of hashes, so that their order makes no difference."""
    mixed = (calls.shape[runs.order].astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    signature: npt.NDArray[np.uint64] = np.add.reduceat(mixed ^ (mixed >> np.uint64(32)), runs.begins)
    return signature


def _only(found: Found, is_it: Flags) -> Found:
    """Return the entries that are one."""
    return Found(**{field.name: getattr(found, field.name)[is_it] for field in fields(Found)})


def _nothing() -> Found:
    none = np.empty(0, np.int64)
    unsigned = none.astype(np.uint64)
    return Found(none, none, calls=none, spent_ns=none, wasted_ns=none, places=none, signature=unsigned, example=none)
