"""Patterns that were planted are found, and what only looks like them is not."""

import pyarrow as pa

from homeostat_server.query.bottlenecks import ranking, waiting
from homeostat_server.query.summaries.summary import summarize
from homeostat_server.query.window import Window
from tests.planted_calls import Truth, plant
from tests.slow_traces import Said, table

BEGIN_NS = 1_800_000_000 * 10**9
WINDOW = Window(BEGIN_NS, BEGIN_NS + 300 * 10**9)
SEEDS = range(1_000, 1_010)


def found(spans: list[Said]) -> set[Truth]:
    """Return the patterns that are told of spans."""
    rows = table(spans)
    rows = rows.append_column("peer", pa.array([b"" for _ in spans], pa.binary()))
    summary = summarize(rows, window=WINDOW)
    told = waiting.patterns(summary, ranking.spans_of(summary), service=None, limit=1_000)
    return {Truth(pattern.name, pattern.service, pattern.operation) for pattern in told}


def test_planted_patterns_are_told_and_others_are_not() -> None:
    """Of all that is told 95 % was planted, and of all that was planted 95 % is told."""
    told = planted = right = 0
    for seed in SEEDS:
        spans, truths = plant(seed, begin_ns=BEGIN_NS)
        answer = found(spans)
        told, planted, right = told + len(answer), planted + len(truths), right + len(answer & truths)
    assert right >= 0.95 * told
    assert right >= 0.95 * planted
    assert planted > 50
