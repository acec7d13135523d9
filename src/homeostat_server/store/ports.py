"""What the rest of the server may ask of the store. It knows no engine and no SQL dialect beyond ClickHouse's.

Every adapter passes the one contract suite in `tests/contract/store`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa

from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.watched import QueryWatch, Scanned

Parameter: TypeAlias = str | int | float
"""What a query can be given: text, a whole number or a real one. Ids travel as hex text."""

Row: TypeAlias = dict[str, object]
"""One row of an answer by column name: text and ids as bytes, numbers as int or float, arrays as lists, maps as lists
of (key, value). Times have to be selected as numbers (`toUnixTimestamp64Nano(ts)`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Hold the bounds of one query."""

    duration_s: float
    rows_max: int
    result_bytes_max: int
    memory_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedShare:
    """Hold how much of a day's ordinary spans is kept as valued when they go; errors are all kept.

    `slow` is a share (0 to 1) of the traces of each root operation, `traces` a number of those that are neither slow
    nor have an error.
    """

    slow: float = 0.01
    traces: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionDays:
    """Hold how many days each class of rows is kept after the day of its receipt, and what becomes valued."""

    ordinary: int
    valued: int
    share: ValuedShare = ValuedShare()

    @property
    def longest(self) -> int:
        """Return how long the longest-lived row is kept."""
        return max(self.ordinary, self.valued)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """Hold what one table takes, over all tenants."""

    table: str
    rows: int
    parts: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSpans:
    """Hold how many ordinary spans were over their time, and how many of them were kept as valued.

    `days_lost` are days of which none were, because that could not be done.
    """

    spans: int = 0
    kept: int = 0
    days_lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatistics:
    """Hold what the engine says of itself, and what retention has kept since the start."""

    memory_bytes: int
    tables: Sequence[TableSize]
    kept: KeptSpans = KeptSpans()


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedBucket:
    """Hold how many spans, of those received in a stretch of time, began in five minutes of a tenant.

    `bucket_s` is when the five minutes begin, `received_s` when the last of the spans was received (Unix time).
    """

    tenant: Tenant
    bucket_s: int
    rows: int
    received_s: int


class TelemetryReader(Protocol):
    """Answer questions about telemetry.

    Safe to call from many threads; every call blocks its thread until it is done. Other tenants' rows do not exist for
    a question, whatever it says. Reads do not wait for inserts.
    """

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer one SELECT with one tenant's rows, in the order the query asks for; no rows is an empty list.

        `{name:Type}` in the SQL stands for a parameter.

        Raises:
            QueryLimit: the query reached one of its bounds; nothing of the answer is given.
            InvalidRequest: the engine does not understand the query, or it is not one SELECT over the telemetry tables
                that a reader may ask (no SETTINGS, FORMAT, EXPLAIN, system tables or functions that reach out).
            QueryCancelled: its watch was cancelled.
            StoreUnavailable: too many queries are running, or the store is closed.
        """
        ...

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Answer one SELECT as `read` does, by columns: for answers of many rows that numpy goes on with.

        Text is `binary`, a FixedString `fixed_size_binary`, numbers are of their own width, times as in `read`; no
        rows is a table without rows that has its columns.

        Raises:
            HomeostatError: as `read` does.
        """
        ...


class WatchedReader(TelemetryReader, Protocol):
    """Answer questions under a watch, which counts what they cost and can call them off.

    After `cancel` of its watch every call raises `QueryCancelled`, one that runs soon.
    """

    @property
    def scanned(self) -> Scanned:
        """Return how much was read from tables since the watch began."""
        ...

    def check(self) -> None:
        """Return when the question was not called off; long work between two calls asks now and then.

        Raises:
            QueryCancelled: it was.
        """
        ...


class TelemetryStore(TelemetryReader, Protocol):
    """Keep telemetry and answer questions about it.

    Safe to call from many threads; every call blocks its thread until it is done.
    """

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store every item of a segment, once.

        Idempotent by the segment's number: with `replay` set, rows that an interrupted insert of the same segment left
        are taken back first. On return the rows are on the disk and visible to every later read. Items of one segment
        may become visible one table at a time, derived rows first.

        Raises:
            StoreUnavailable: not now (disk full, engine closed or out of memory); the same segment may pass later.
            SegmentRejected: never; the engine cannot decode this content. No item of it is left behind.
        """
        ...

    def watched(self, watch: QueryWatch) -> WatchedReader:
        """Return a reader whose statements one watch counts and can call off; it costs nothing to make."""
        ...

    def touched_buckets(self, *, first_s: int, last_s: int) -> list[TouchedBucket]:
        """Return the buckets of five minutes that spans received from one Unix time to another went into.

        Of all tenants, by tenant and bucket; both ends belong to the stretch. It reads at the lowest priority.

        Raises:
            StoreUnavailable: not now.
        """
        ...

    def insert_summaries(self, tenant: Tenant, table: pa.Table) -> None:
        """Store rows of `trace_summaries`, without the columns `tenant` and `last_seen`.

        All or none of the rows are there, whatever happens; on return they are on the disk and visible to later reads.
        Rows of an earlier version stay beside them until their time is over.

        Raises:
            StoreUnavailable: not now.
        """
        ...

    def statistics(self) -> StoreStatistics:
        """Say how much there is and what it takes."""
        ...

    def drop_expired(self, now_s: int) -> int:
        """Drop the partitions whose retention is over at this Unix time and return how many there were.

        Of ordinary spans, traces with an error, slow ones and some of the others become valued before that; sums of
        weights stay what they were. A crash at any point leaves either all rows of the day or the valued ones, or both
        until it is called again. Spans are dropped without any of that rather than kept for ever: when the disk has no
        room for the kept ones, or it failed three times.
        """
        ...

    def close(self) -> None:
        """Let running calls end, then release the store; calling it again does nothing."""
        ...
