"""The summaries of a window: the stored ones where nothing came since, else made now. It knows no figure in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.summaries import sql
from homeostat_server.query.summaries.buckets import bucket_of, starts
from homeostat_server.query.summaries.form import FORM, SCHEMA
from homeostat_server.query.summaries.freshness import SETTLED_S, Found, found_buckets
from homeostat_server.query.summaries.keeping import KeptSummaries, State
from homeostat_server.query.summaries.reading import read_bucket
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

CHECKED_BUCKETS_MAX: Final = 72
"""Six hours: of longer windows only what is not stored is looked for in the spans. Looking reads 16 bytes of each."""

MADE_SPANS_MAX: Final = 4_000_000
"""Summed up for one question, some 3 µs a span."""

STORED_BUCKETS: Final = 288
"""Read at once: some 100 MB at most."""


@dataclass(frozen=True, slots=True)
class Summaries:
    """Read the summaries of a tenant; made for one question, at a moment that says which buckets are closed."""

    reader: TelemetryReader
    tenant: Tenant
    kept: KeptSummaries
    now_ns: int

    def of(self, window: Window, columns: Iterable[str]) -> pa.Table:
        """Return these columns of the summaries of a window, rows in any number.

        Raises:
            QueryLimit: too many spans of the window have not been summed up yet.
        """
        wanted = list(columns)
        stored = self._stored(window, wanted)
        made: list[pa.Table] = []
        spans = 0
        for bucket_s, found in self._found(window, stored).items():
            if bucket_s in stored and stored[bucket_s][0].covers(found.state) and _is_whole(bucket_s, window):
                continue
            stored.pop(bucket_s, None)
            spans += found.rows
            if spans > MADE_SPANS_MAX:
                raise QueryLimit(
                    "sum up a window",
                    value=f"more than {MADE_SPANS_MAX} spans of it have not been summed up yet",
                    hint="Ask for a shorter window, or again later: spans are summed up some minutes after they came.",
                )
            made.append(self._made(window, bucket_s, found).select(wanted))
        whole = [table for bucket_s, (_, table) in stored.items() if _is_whole(bucket_s, window)]
        schema = pa.schema([SCHEMA.field(name) for name in wanted])
        return pa.concat_tables([schema.empty_table(), *whole, *made])

    def _stored(self, window: Window, columns: list[str]) -> dict[int, tuple[State, pa.Table]]:
        found: dict[int, tuple[State, pa.Table]] = {}
        schema = pa.schema([SCHEMA.field(name) for name in columns])
        buckets = [start for start in starts(window) if _is_whole(start, window)]
        for begin in range(0, len(buckets), STORED_BUCKETS):
            some = buckets[begin : begin + STORED_BUCKETS]
            parameters: dict[str, Parameter] = {
                "tenant": self.tenant,
                "first_s": some[0],
                "last_s": some[-1],
                "form": FORM,
            }
            table = self.reader.read_table(self.tenant, sql.stored(", ".join(columns)), parameters)
            found.update(_by_bucket(table, schema))
        return found

    def _found(self, window: Window, stored: Mapping[int, tuple[State, pa.Table]]) -> dict[int, Found]:
        """Return what there is of each bucket that has spans and may differ from what is stored."""
        buckets = list(starts(window))
        looked_at = window
        if len(buckets) > CHECKED_BUCKETS_MAX:
            missing = [start for start in buckets if start not in stored]
            if not missing:
                return {}
            looked_at = Window(bucket_of(missing[0]).start_ns, bucket_of(missing[-1]).end_ns)
        return found_buckets(
            self.reader, tenant=self.tenant, window=looked_at, now_s=self.now_ns // NS_PER_S, after_s=SETTLED_S
        )

    def _made(self, window: Window, bucket_s: int, found: Found) -> pa.Table:
        if not _is_whole(bucket_s, window):
            bucket = bucket_of(bucket_s)
            part = Window(max(window.start_ns, bucket.start_ns), min(window.end_ns, bucket.end_ns))
            return read_bucket(self.reader, tenant=self.tenant, bucket_s=bucket_s, rows=found.rows, counted=part)
        summary = self.kept.get(self.tenant, bucket_s, found.state)
        if summary is None:
            summary = read_bucket(self.reader, tenant=self.tenant, bucket_s=bucket_s, rows=found.rows)
            self.kept.put(self.tenant, bucket_s, found.state, summary)
        return summary


def _is_whole(bucket_s: int, window: Window) -> bool:
    bucket = bucket_of(bucket_s)
    return window.start_ns <= bucket.start_ns and bucket.end_ns <= window.end_ns


def _by_bucket(table: pa.Table, schema: pa.Schema) -> dict[int, tuple[State, pa.Table]]:
    """Return the state and the rows of each bucket; those of one bucket lie together."""
    found: dict[int, tuple[State, pa.Table]] = {}
    starts_of = table["bucket_s"].to_pylist()
    rows, through = table["rows"].to_pylist(), table["through"].to_pylist()
    figures = table.select(schema.names).cast(schema)
    begin = 0
    for end in range(1, len(starts_of) + 1):
        if end == len(starts_of) or starts_of[end] != starts_of[begin]:
            state = State(rows[begin], through[begin])
            found[starts_of[begin]] = (state, figures.slice(begin, end - begin))
            begin = end
    return found
