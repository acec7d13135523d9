"""Which traces of a day are worth keeping when its ordinary rows go, and how they are moved. It decides no dates.

Kept are traces with an error, slow ones, and of the others a fixed number for each root operation, whose rows then
weigh so much more that the sums of weights stay what they were: exactly those of root spans by operation, and on
average all others (Horvitz-Thompson, strata with ratio weights). A root is a trace's first span without a parent, or
its first one.

Invariant: the day's rows are all there, or the kept ones are. Everything is made in a database of its own, then put in
place by one statement and the rest dropped by another; between those two the kept rows are there twice. What a crash
interrupts is done again from the beginning, and gives the same.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from homeostat_server.store.ports import KeptSpans, ValuedShare
from homeostat_server.store.telemetry.catalogue import SPANS
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.tables import DATABASE

_LOG: Final = logging.getLogger(__name__)

WORKSHOP: Final = "valuing"
"""The database in which the kept rows are made; what is in it at the beginning was left by a crash."""

SLICE_ROWS: Final = 1_000_000
"""Rows that are copied at a time: their traces are in memory, at about 100 bytes each."""

STEPS_PER_DOUBLING: Final = 128
"""Durations are compared in steps of 0.5 %, so that finding a percentile takes no more memory than there are steps."""

ORDINARY: Final = "ordinary"
VALUED: Final = "valued"

_EVERYTHING: Final = 2**64 - 1
_ROOT: Final = "tenant, service, name"
_KEY: Final = "tenant LowCardinality(String), service String, name String"
_BUCKET: Final = "toUnixTimestamp(toStartOfFiveMinutes(ts))"
_NAMES: Final = ", ".join(f"`{column.name}`" for column in SPANS.columns)

_TABLES: Final = {
    "traces": f"{_KEY}, trace_id FixedString(16), first UInt32, last UInt32, failed UInt8, step UInt16, weight Float64,"
    " lot UInt64",
    "slow": f"{_KEY}, slow UInt16",
    "lots": f"{_KEY}, slow UInt16, lot_max UInt64",
    "factors": f"{_KEY}, factor Float64",
    "chosen": "tenant LowCardinality(String), trace_id FixedString(16), first UInt32, last UInt32, factor Float64",
}
"""`first` and `last` are buckets of five minutes, `step` is the root's duration, `lot` what decides among equals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Name the rows of spans that were received on a day, as `YYYYMMDD`."""

    number: str

    def condition(self, retention: str) -> str:
        """Return the condition that a row is of this day and class; the engine finds the partition by it."""
        return f"toYYYYMMDD(received) = {self.number} AND retention = '{retention}'"


def keep_valued(engine: Session, day: Day, share: ValuedShare) -> KeptSpans:
    """Make the valued partition of a day from its ordinary one, which stays.

    Raises:
        StoreUnavailable: it was not done, and nothing has changed; the disk needs room for what is kept.
    """
    _clear(engine)
    try:
        engine.execute(f"CREATE DATABASE {WORKSHOP}")
        for table, columns in _TABLES.items():
            engine.execute(f"CREATE TABLE {WORKSHOP}.{table} ({columns}) ENGINE = MergeTree ORDER BY tenant")
        engine.execute(f"CREATE TABLE {WORKSHOP}.spans AS {DATABASE}.spans")
        for statement in _choosing(day, share):
            engine.execute(statement)
        for first, last in _slices(engine, day):
            engine.execute(_copy(day, first=first, last=last))
        engine.execute(_what_is_kept_already(day))
        of = _count(engine, f"{DATABASE}.spans", day.condition(ORDINARY))
        kept = _count(engine, f"{WORKSHOP}.spans")
        if kept:
            source = f"{WORKSHOP}.spans"
            engine.execute(f"ALTER TABLE {DATABASE}.spans REPLACE PARTITION ({day.number}, 'valued') FROM {source}")
    finally:
        _clear(engine)
    _LOG.info("of %s spans received on %s, %s are kept for longer", of, day.number, kept)
    return KeptSpans(spans=of, kept=kept)


def _clear(engine: Session) -> None:
    engine.shrink(f"DROP DATABASE IF EXISTS {WORKSHOP} SYNC")


def _count(engine: Session, table: str, condition: str = "1") -> int:
    return cast("int", engine.rows(f"SELECT count() AS n FROM {table} WHERE {condition}", {})[0]["n"])


def _choosing(day: Day, share: ValuedShare) -> Iterator[str]:
    """Yield the statements after which `chosen` holds the traces to keep, with the factor of their weights."""
    yield _insert("traces", _traces(day))
    yield _insert(
        "slow",
        f"SELECT {_ROOT}, quantileExactWeighted({1 - share.slow})(step, 1) FROM {WORKSHOP}.traces GROUP BY {_ROOT}",
    )
    # The fixed number of an operation are those with the lowest lots; the lot of a trace is a hash of its id.
    yield _insert(
        "lots",
        f"SELECT {_ROOT}, any(slow) AS slow_step, if(length(groupArraySorted({share.traces})(lot) AS lowest) ="
        f" {share.traces}, lowest[-1], {_EVERYTHING}) FROM {WORKSHOP}.traces INNER JOIN {WORKSHOP}.slow USING ({_ROOT})"
        f" WHERE NOT failed AND step <= slow GROUP BY {_ROOT}",
    )
    yield _insert(
        "factors",
        f"SELECT {_ROOT}, sum(weight) / sumIf(weight, lot <= lot_max) FROM {WORKSHOP}.traces"
        f" INNER JOIN {WORKSHOP}.lots USING ({_ROOT}) WHERE NOT failed AND step <= slow GROUP BY {_ROOT}",
    )
    # An operation without a lot has only failed and slow ones; the engine joins zeros to those.
    yield _insert(
        "chosen",
        f"SELECT tenant, trace_id, first, last, if(failed OR step > slow, 1, factor) FROM {WORKSHOP}.traces"
        f" LEFT JOIN {WORKSHOP}.lots USING ({_ROOT}) LEFT JOIN {WORKSHOP}.factors USING ({_ROOT})"
        " WHERE failed OR step > slow OR lot <= lot_max",
    )


def _insert(table: str, query: str) -> str:
    return f"INSERT INTO {WORKSHOP}.{table} {query}"


def _traces(day: Day) -> str:
    step = f"toUInt16(floor(log2(greatest(root.3, 0) + 1) * {STEPS_PER_DOUBLING}))"
    no_parent_first = "(parent_span_id != toFixedString('', 8), ts, span_id)"
    root = f"argMin((toString(service), toString(name), duration_ns, weight), {no_parent_first})"
    return (
        f"SELECT tenant, root.1, root.2, trace_id, first, last, failed, {step}, root.4, sipHash64(trace_id) FROM"
        f" (SELECT tenant, trace_id, min({_BUCKET}) AS first, max({_BUCKET}) AS last, max(status_code = 2) AS failed,"
        f" {root} AS root FROM {DATABASE}.spans WHERE {day.condition(ORDINARY)} GROUP BY tenant, trace_id)"
    )


def _slices(engine: Session, day: Day) -> list[tuple[int, int]]:
    """Return stretches of buckets, first and last in Unix seconds, that hold about `SLICE_ROWS` rows each."""
    buckets = (
        f"SELECT {_BUCKET} AS bucket, count() AS rows FROM {DATABASE}.spans"
        f" WHERE {day.condition(ORDINARY)} GROUP BY bucket"
    )
    numbered = (
        f"SELECT bucket, intDiv(sum(rows) OVER (ORDER BY bucket ROWS UNBOUNDED PRECEDING), {SLICE_ROWS}) AS slice"
        f" FROM ({buckets})"
    )
    rows = engine.rows(f"SELECT min(bucket) AS a, max(bucket) AS b FROM ({numbered}) GROUP BY slice ORDER BY a", {})
    return [(cast("int", row["a"]), cast("int", row["b"])) for row in rows]


def _copy(day: Day, *, first: int, last: int) -> str:
    """Return the statement that copies the rows of chosen traces in these buckets."""
    changed = {"retention": f"'{VALUED}'", "weight": "weight * factor"}
    values = ", ".join(changed.get(column.name, f"`{column.name}`") for column in SPANS.columns)
    chosen = f"SELECT tenant, trace_id, factor FROM {WORKSHOP}.chosen WHERE first <= {last} AND last >= {first}"
    buckets = f"toStartOfFiveMinutes(ts) BETWEEN toDateTime({first}, 'UTC') AND toDateTime({last}, 'UTC')"
    return _insert(
        "spans",
        f"({_NAMES}) SELECT {values} FROM {DATABASE}.spans INNER JOIN ({chosen}) AS chosen USING (tenant, trace_id)"
        f" WHERE {day.condition(ORDINARY)} AND {buckets}"
        f" AND (tenant, trace_id) IN (SELECT tenant, trace_id FROM ({chosen}))",
    )


def _what_is_kept_already(day: Day) -> str:
    """Return the statement that copies what the day's valued partition has and its ordinary one has not.

    That is nothing when the partition is of an attempt that a crash interrupted: all its segments are still ordinary.
    It is all when the ordinary rows are of a segment that came after the others had gone.
    """
    segments = f"SELECT DISTINCT segment FROM {DATABASE}.spans WHERE {day.condition(ORDINARY)}"
    return _insert(
        "spans",
        f"({_NAMES}) SELECT {_NAMES} FROM {DATABASE}.spans"
        f" WHERE {day.condition(VALUED)} AND segment NOT IN ({segments})",
    )
