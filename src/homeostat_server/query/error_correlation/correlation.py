"""The question "what broke and why", from tables to ranked causes. It knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.error_correlation import sql
from homeostat_server.query.error_correlation.carrying import carried_by_processes, carried_by_spans
from homeostat_server.query.error_correlation.factors import excess_of_factors, stratify
from homeostat_server.query.error_correlation.harm import Flags, Harm, Requests, find_harm
from homeostat_server.query.error_correlation.ranking import (
    Candidate,
    Found,
    PlaceFigures,
    factor_candidates,
    figures_of_places,
    folded,
    place_candidates,
)
from homeostat_server.query.error_correlation.sampling import (
    SPANS_WANTED,
    Reading,
    Share,
    by_hash,
    choose_share,
    first_tops,
    is_fair,
)
from homeostat_server.query.error_correlation.statistics import Integers, Reals
from homeostat_server.query.error_correlation.structural import structural_candidates
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.forest.identity import words
from homeostat_server.query.rows import integer, raws, text
from homeostat_server.query.window import Window
from homeostat_server.store.ports import TelemetryReader

Mode = Literal["all", "errors", "slow"]
BaselineKind = Literal["before", "good"]

PLACES_MAX: Final = 40
"""Places that are looked at closely, those with the most excess harm."""

PLACE_SHARE_MIN: Final = 0.01

SOURCES_MAX: Final = 100_000

_SPREAD, _SPREAD_OF_SPANS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
"""Odd, so that different ids stay different in all bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Hold the question.

    Attributes:
        window: when requests were harmed.
        baseline: when they were not; the good requests of the window where it is not given.
        mode: what harm is: errors, slowness or both.
        slow_ns: from where on a request is slow; beyond what is usual for its kind when not given.
        service: only requests that go through it.
        operation: only requests that go through a span of this name, of that service if one is given.
    """

    window: Window
    baseline: Window | None
    mode: Mode = "all"
    slow_ns: int | None = None
    service: str | None = None
    operation: str | None = None
    spans_wanted: int = SPANS_WANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Hold everything that was found, for who shows it."""

    requests: Requests
    harm: Harm
    figures: PlaceFigures
    causes: list[Candidate]
    share: Share
    table: pa.Table
    reading: Reading
    tested: int


@dataclass(frozen=True, slots=True)
class _Read:
    """Hold the spans that were read, and how."""

    asked: Asked
    reading: Reading
    share: Share
    table: pa.Table


def _read(reader: TelemetryReader, tenant: Tenant, asked: Asked) -> _Read:
    windows = [asked.window] if asked.baseline is None else [asked.baseline, asked.window]
    reading = Reading(reader=reader, tenant=tenant, windows=windows)
    share = choose_share(reading, spans_wanted=asked.spans_wanted)
    table = reading.table(sql.spans, share)
    if not is_fair(table, share, spans_wanted=asked.spans_wanted):
        share = by_hash(share)
        table = reading.table(sql.spans, share)
    return _Read(asked, reading, share, table)


def correlate(reader: TelemetryReader, *, tenant: Tenant, asked: Asked) -> Correlation:
    """Return what is harmed in a window and what sets it apart, the likeliest cause first."""
    read = _read(reader, tenant, asked)
    requests = requests_of(Forest.of(read.table), asked, read.share)
    harm = find_harm(
        requests, with_errors=asked.mode != "slow", with_slowness=asked.mode != "errors", slow_ns=asked.slow_ns
    )
    if asked.baseline is None:
        requests = _against_the_good(requests, harm)
    figures = figures_of_places(requests, harm)
    total = figures.total
    causes: list[Candidate] = []
    tested = 0
    if total > 0:
        places = _harmed_places(figures)
        found = _factors(read, requests, harm, places)
        tested = sum(len(carried.factors) for carried, _ in found)
        plain = place_candidates(requests, harm, figures, places)
        structural = structural_candidates(requests, harm, plain)
        factors = folded(factor_candidates(requests, harm, total, found), harm.blame)
        causes = sorted([*factors, *structural], key=lambda each: each.score, reverse=True)
    return Correlation(
        requests=requests,
        harm=harm,
        figures=figures,
        causes=causes,
        share=read.share,
        table=read.table,
        reading=read.reading,
        tested=tested,
    )


def requests_of(forest: Forest, asked: Asked, share: Share) -> Requests:
    """Return what traces are to a question."""
    root = first_tops(forest.trace, forest.parent, forest.start_ns)
    began_ns = forest.start_ns[root]
    baseline = asked.baseline or asked.window
    wanted = _goes_through(forest, asked) & share.has(began_ns, forest.end_ns[root])
    key = (forest.service.astype(np.int64) * (len(forest.operations) + 1) + forest.operation) * 64 + forest.kind
    _, place_span, place = np.unique(key, return_index=True, return_inverse=True)
    return Requests(
        forest=forest,
        self_ns=_self_ns(forest, root),
        place=place,
        place_span=place_span,
        root=root,
        weight=forest.weight[root],
        is_asked=_within(began_ns, asked.window) & wanted,
        is_baseline=_within(began_ns, baseline) & wanted,
        entry=_entries(forest),
    )


def _self_ns(forest: Forest, root: Integers) -> Reals:
    """Return the own time of spans on the path of their request; what nobody waited for has none."""
    paths = forest.critical_paths
    own_ns: Reals = np.where(paths.root == root[forest.trace], paths.self_ns, 0).astype(np.float64)
    return own_ns


def _within(moment_ns: Integers, window: Window) -> Flags:
    return (moment_ns >= window.start_ns) & (moment_ns < window.end_ns)


def _goes_through(forest: Forest, asked: Asked) -> Flags:
    """Say of each trace whether it has a span of the service and of the operation that are asked about."""
    through = np.ones(len(forest.trace), dtype=bool)
    if asked.service is not None:
        through &= forest.service == _code(forest.services, asked.service)
    if asked.operation is not None:
        through &= forest.operation == _code(forest.operations, asked.operation)
    traces = int(forest.trace.max(initial=-1)) + 1
    return np.bincount(forest.trace[through], minlength=traces) > 0


def _code(words: Sequence[bytes], word: str) -> int:
    return words.index(word.encode()) if word.encode() in words else -1


def _entries(forest: Forest) -> Integers:
    """Return of each span the one by which its service was entered: up while the service stays the same."""
    entry = np.arange(len(forest.parent))
    for spans in forest.levels[1:]:
        above = forest.parent[spans]
        same = forest.service[above] == forest.service[spans]
        entry[spans[same]] = entry[above[same]]
    return entry


def _against_the_good(requests: Requests, harm: Harm) -> Requests:
    is_good = requests.is_baseline & ~harm.is_failing & ~harm.is_slow
    return replace(requests, is_baseline=is_good)


def _harmed_places(figures: PlaceFigures) -> Integers:
    """Return the places with the most harm beyond the usual, also where it may be chance: values may tell why."""
    order = np.argsort(-figures.raw_excess, kind="stable")[:PLACES_MAX]
    found: Integers = order[figures.raw_excess[order] >= PLACE_SHARE_MIN * figures.raw_excess.sum()]
    return found


def _factors(read: _Read, requests: Requests, harm: Harm, places: Integers) -> Found:
    reading, share, asked = read.reading, read.share, read.asked
    strata = stratify(requests, places)
    forest = requests.forest
    resources = read_resources(reading)
    of_processes = carried_by_processes(strata.spans, forest.source, resources)
    attributes = reading.table(sql.attributes, share, places=_named(requests, _carriers(requests, strata.spans)))
    rows = rows_of(read.table, forest, attributes)
    of_spans = carried_by_spans(requests, strata.spans, attributes, rows)
    longer = np.inf if asked.baseline is None else asked.window.duration_s / asked.baseline.duration_s
    layers = (harm.errors, harm.delays)
    return [
        (each, [excess_of_factors(requests, blame, strata, each, longer=longer) for blame in layers])
        for each in (of_processes, of_spans)
    ]


def _carriers(requests: Requests, spans: Integers) -> Integers:
    """Return the places of spans, of their services' entry spans and of their requests' roots."""
    roots = requests.root[requests.forest.trace[spans]]
    return np.unique(requests.place[np.concatenate([spans, requests.entry[spans], roots])])


def _named(requests: Requests, places: Integers) -> str:
    """Return places as a parameter of `sql.attributes`."""
    forest = requests.forest
    span = requests.place_span[places]
    names = {
        (forest.services[service].hex(), forest.operations[operation].hex())
        for service, operation in zip(forest.service[span], forest.operation[span], strict=True)
    }
    return ",".join(f"{service}:{operation}" for service, operation in sorted(names))


def rows_of(table: pa.Table, forest: Forest, attributes: pa.Table) -> Integers:
    """Return of each span of a forest its row of another table with trace and span ids, -1 where it is not there."""
    wanted, there = _ids(table)[forest.row], _ids(attributes)
    order = np.argsort(there, kind="stable")
    if not len(there):
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(there, wanted, sorter=order), len(there) - 1)
    found: Integers = np.where(there[order[at]] == wanted, order[at], -1)
    return found


def _ids(table: pa.Table) -> NDArray[np.uint64]:
    """Return one number for each (trace, span): the halves of the trace's id and the span's id, mixed."""
    trace, span = words(table["trace_id"]), words(table["span_id"])
    mixed: NDArray[np.uint64] = trace[:, 0] * _SPREAD ^ trace[:, 1] ^ span[:, 0] * _SPREAD_OF_SPANS
    return mixed


def read_resources(reading: Reading) -> dict[int, tuple[str, list[tuple[str, str]]]]:
    """Return what is known of processes by the number of their source."""
    rows = reading.reader.read(
        reading.tenant,
        sql.RESOURCES,
        {"tenant": reading.tenant, "first_ns": min(window.start_ns for window in reading.windows), "rows": SOURCES_MAX},
    )
    return {
        integer(row["source"]): (
            text(row["service"]),
            [(_text(key), _text(value)) for key, value in zip(raws(row["keys"]), raws(row["values"]), strict=True)],
        )
        for row in rows
    }


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
