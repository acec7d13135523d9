"""Ask where the time of a window goes. It ranks nothing itself."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.query.bottlenecks import ranking, waiting
from homeostat_server.query.bottlenecks.ranking import Bottleneck, Paths
from homeostat_server.query.bottlenecks.waiting import Pattern
from homeostat_server.query.summaries.merging import total
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.query.window import Window

LIMIT_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BottlenecksRequest:
    """Hold what is asked.

    Attributes:
        window: what it is about.
        other: the window before, to see trends.
        service: only operations of this service.
        limit: how many operations, and how many patterns.
    """

    window: Window
    other: Window | None
    service: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottlenecks:
    """Hold where the time of a window goes.

    Attributes:
        paths: how many critical paths there are; of the window before likewise.
        operations: those with the most time on them.
        patterns: calls that are waited for without need, those that waste most first.
        spans: how many the answer stands on.
        left_out: how many are of traces that are too large.
    """

    paths: Paths
    before: Paths | None
    operations: tuple[Bottleneck, ...]
    patterns: tuple[Pattern, ...]
    spans: int
    left_out: int


def bottlenecks(summaries: Summaries, asked: BottlenecksRequest) -> Bottlenecks:
    """Return the bottlenecks of a window.

    Raises:
        QueryLimit: too many spans of a window have not been summed up yet.
    """
    now = summaries.of(asked.window, (*ranking.COLUMNS, *waiting.COLUMNS))
    before = None if asked.other is None else summaries.of(asked.other, ranking.COLUMNS)
    return Bottlenecks(
        paths=ranking.paths(now),
        before=None if before is None else ranking.paths(before),
        operations=ranking.rank(now, before, service=asked.service, limit=asked.limit),
        patterns=waiting.patterns(now, ranking.spans_of(now), service=asked.service, limit=asked.limit),
        spans=round(total(now, "spans")),
        left_out=round(total(now, "left_out")),
    )
