"""Patterns of calls that wait for each other without need, over a window. It knows the rows of summaries, no spans.

What single spans show is told when enough spans of an operation show it: a pattern is a property of code, and code does
it again and again.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from homeostat_server.query.bottlenecks.ranking import NS_PER_MS, Name
from homeostat_server.query.summaries.form import PATTERNS
from homeostat_server.query.summaries.merging import lists, numbers, reals, words
from homeostat_server.query.summaries.summary import SEPARATOR

COLUMNS: Final = tuple(PATTERNS)

FOUND_MIN: Final = 3
"""Spans that show a pattern: one or two may be chance."""

SHARE_MIN: Final[Mapping[str, float]] = {"n_plus_one": 0.1, "sequential": 0.3, "saturation": 0.1}
"""Of an operation's spans that show it. Lists are often short, so few spans have many calls; what is always called one
after the other shows it nearly every time."""

PLACES_SHARE_MIN: Final = 0.6
"""Of the spans that show saturation that agree on the number of places: a pool has one size."""

Key = tuple[str, str, str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """Hold what was called: the service that did the work or called out, the operation, and the peer, if told."""

    service: str
    operation: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Hold a pattern and its evidence.

    Attributes:
        name: "n_plus_one", "sequential" or "saturation".
        service: whose operation makes the calls; operation likewise.
        callees: what is called.
        found: spans that show it.
        share: of all spans of the operation, 0 to 1.
        calls: how many calls one such span makes, on average.
        spent_ms: how long they take, on average.
        wasted_ms: by how much one such span would be shorter, on average.
        total_wasted_ms: the same of all of them.
        places: how many calls run at once, for saturation.
        example: the trace that would gain most.
        example_wasted_ms: by how much.
    """

    name: str
    service: str
    operation: str
    callees: tuple[Callee, ...]
    found: float
    share: float
    calls: float
    spent_ms: float
    wasted_ms: float
    total_wasted_ms: float
    places: int | None
    example: str
    example_wasted_ms: float


@dataclass(slots=True)
class _Sum:
    found: float = 0.0
    calls: float = 0.0
    spent_ns: float = 0.0
    wasted_ns: float = 0.0
    example: bytes = b""
    example_ns: float = -1.0

    def add(self, other: "_Sum") -> None:
        self.found += other.found
        self.calls += other.calls
        self.spent_ns += other.spent_ns
        self.wasted_ns += other.wasted_ns
        if other.example_ns > self.example_ns:
            self.example, self.example_ns = other.example, other.example_ns


def patterns(table: pa.Table, spans: Mapping[Name, float], *, service: str | None, limit: int) -> tuple[Pattern, ...]:
    """Return the patterns of a window, those that waste most first.

    Args:
        table: rows of summaries with `COLUMNS`.
        spans: how many spans each operation has.
        service: only patterns of this service's operations.
        limit: how many.
    """
    found = []
    for key, by_places in _sums(table).items():
        pattern = _pattern(key, by_places, spans.get((key[1], key[2]), 0.0))
        if pattern is not None and (service is None or pattern.service == service):
            found.append(pattern)
    found.sort(key=lambda one: (-one.total_wasted_ms, one.name, one.service, one.operation, one.callees[0].operation))
    return tuple(found[:limit])


def _sums(table: pa.Table) -> dict[Key, dict[int, _Sum]]:
    names, services, operations = (words(table, f"pattern_{name}") for name in ("name", "service", "operation"))
    callees, places, examples = (
        lists(table, "pattern_callees"),
        numbers(table, "pattern_places").tolist(),
        words(table, "pattern_example"),
    )
    found, calls, spent, wasted, longest = (
        reals(table, f"pattern_{name}").tolist() for name in ("found", "calls", "spent_ns", "wasted_ns", "example_ns")
    )
    sums: dict[Key, dict[int, _Sum]] = defaultdict(lambda: defaultdict(_Sum))
    for row, callee in enumerate(callees):
        key = (_text(names[row]), _text(services[row]), _text(operations[row]), tuple(callee))
        one = _Sum(found[row], calls[row], spent[row], wasted[row], examples[row], longest[row])
        sums[key][places[row]].add(one)
    return sums


def _pattern(key: Key, by_places: Mapping[int, _Sum], spans: float) -> Pattern | None:
    """Return a pattern when enough spans show it."""
    name, service, operation, callees = key
    whole = _Sum()
    for one in by_places.values():
        whole.add(one)
    places, usual = max(by_places.items(), key=lambda item: (item[1].found, -item[0]))
    share = min(1.0, whole.found / spans) if spans else 1.0
    if whole.found < FOUND_MIN or share < SHARE_MIN[name] or usual.found < PLACES_SHARE_MIN * whole.found:
        return None
    return Pattern(
        name=name,
        service=service,
        operation=operation,
        callees=tuple(_callee(callee) for callee in callees),
        found=whole.found,
        share=share,
        calls=whole.calls / whole.found,
        spent_ms=whole.spent_ns / whole.found / NS_PER_MS,
        wasted_ms=whole.wasted_ns / whole.found / NS_PER_MS,
        total_wasted_ms=whole.wasted_ns / NS_PER_MS,
        places=places or None,
        example=whole.example.hex(),
        example_wasted_ms=max(0.0, whole.example_ns) / NS_PER_MS,
    )


def _callee(said: bytes) -> Callee:
    service, operation, peer = (*said.split(SEPARATOR), b"", b"")[:3]
    return Callee(service=_text(service), operation=_text(operation), peer=_text(peer))


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
