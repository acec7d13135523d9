"""Generation: endless and counted streams of bodies of each signal.

Invariant: equal arguments give equal bytes; with equal counts and arguments the signals refer to each other.
"""

from collections.abc import Iterator
from typing import Final

from benchmarks.realistic import landscape
from benchmarks.realistic.bodies import Body, Style
from benchmarks.realistic.exports import INTERVAL_S, MetricExport
from benchmarks.realistic.readings import Moment
from benchmarks.realistic.records import LogRound
from benchmarks.realistic.spans import Forest, SpanRound

NS: Final = 10**9
SPANS_PER_ROUND: Final = 100_000
"""Different spans before templates repeat (with fresh values): about 5,000 traces; 4 s to build, 60 MB."""


def rounds(items: int, items_per_round: int) -> Iterator[tuple[int, int, float, float]]:
    """Cut a count into rounds: (number, items, share of time at its start, share of time it takes)."""
    done = 0
    number = 0
    while done < items:
        size = min(items_per_round, items - done)
        yield number, size, done / items, size / items
        done += size
        number += 1


def traces(
    spans: int,
    *,
    seed: int = 1,
    start_ns: int,
    span_of_time_s: float = 3600.0,
    spans_per_body: int = 512,
    style: Style = "collector",
    spans_per_round: int = SPANS_PER_ROUND,
) -> Iterator[Body]:
    """Yield bodies that together hold exactly `spans` spans of whole traces, spread over the time from `start_ns`."""
    yield from _correlated(
        SpanRound,
        spans,
        seed=seed,
        start_ns=start_ns,
        total_ns=span_of_time_s * 1e9,
        items_per_body=spans_per_body,
        style=style,
        items_per_round=spans_per_round,
    )


def logs(
    records: int,
    *,
    seed: int = 1,
    start_ns: int,
    span_of_time_s: float = 3600.0,
    records_per_body: int = 512,
    style: Style = "collector",
    records_per_round: int = SPANS_PER_ROUND,
) -> Iterator[Body]:
    """Yield bodies that together hold exactly `records` log records.

    They name spans of `traces()` with the same count, seed, times and round size.
    """
    yield from _correlated(
        LogRound,
        records,
        seed=seed,
        start_ns=start_ns,
        total_ns=span_of_time_s * 1e9,
        items_per_body=records_per_body,
        style=style,
        items_per_round=records_per_round,
    )


def _correlated(
    make: type[SpanRound | LogRound],
    items: int,
    *,
    seed: int,
    start_ns: int,
    total_ns: float,
    items_per_body: int,
    style: Style,
    items_per_round: int,
) -> Iterator[Body]:
    company = landscape.build()
    made: SpanRound | LogRound | None = None
    for number, size, begin, share in rounds(items, items_per_round):
        if made is None or made.items != size:
            made = make(Forest.grown(company, seed=seed, spans=size), items_per_body=items_per_body, style=style)
        begin_ns = start_ns + int(begin * total_ns)
        table = made.table(seed=seed, round_number=number, start_ns=begin_ns, window_ns=int(share * total_ns))
        scratch = made.batch.scratch()
        for template in made.batch.templates:
            yield Body(template.stamp(table, scratch), template.items)


def metrics(
    points: int,
    *,
    seed: int = 1,
    start_ns: int,
    span_of_time_s: float = 3600.0,
    points_per_body: int = 512,
    style: Style = "collector",
    spans_per_round: int = SPANS_PER_ROUND,
) -> Iterator[Body]:
    """Yield bodies that together hold exactly `points` metric points, one of every series each 15 s.

    The fleet is as large as needed to fill the time, at least one instance a service (so few points take less time).
    Exemplars name spans of `traces()` with the same count, seed, times and round size.
    """
    company = landscape.build()
    forest = Forest.grown(company, seed=seed, spans=min(points, spans_per_round))
    exports = max(1, int(span_of_time_s / INTERVAL_S))
    made = MetricExport(
        company, forest, series=points // exports, start_ns=start_ns, items_per_body=points_per_body, style=style
    )
    scratch = made.batch.scratch()
    for tick, size, _, _ in rounds(points, made.items):
        number, place = divmod(tick * INTERVAL_S / span_of_time_s * points / forest.shape.spans, 1.0)
        moment = Moment(tick, start_ns + tick * INTERVAL_S * NS, INTERVAL_S * NS)
        last = max(points // forest.shape.spans - 1, 0)
        table = made.advance(moment, round_number=min(int(number), last), place=place)
        for template in (made.batch if size == made.items else made.first(size)).templates:
            yield Body(template.stamp(table, scratch), template.items)
