"""From the spans of a bucket in the store to its summary. It holds no more than a slice of a bucket at a time.

Traces are read whole: those that begin before the bucket or end after it are found by their bounds, and the rest of
them in the buckets they lie in. There are few of these, so a bucket costs what it holds, however much there is besides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.rows import integer, raw
from homeostat_server.query.summaries import sql
from homeostat_server.query.summaries.buckets import BUCKET_S, bucket_of
from homeostat_server.query.summaries.summary import summarize
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

SLICE_SPANS: Final = 200_000
"""Read at once: some 60 MB with all that is made of them. A trace with more is left out, and counted."""

SAMPLE_SPANS: Final = 20_000
"""Looked at to cut a bucket into slices."""

CROSSING_MAX: Final = 10_000
"""Traces of one slice that are completed from elsewhere; the spans of further ones are taken as they are."""

ELSEWHERE_SPANS_MAX: Final = 200_000
ELSEWHERE_BUCKETS_MAX: Final = 288
"""A day: of a trace that goes on for longer the next buckets are read."""

_LAST_TRACE: Final = 2**128 - 1


@dataclass(frozen=True, slots=True)
class _Slice:
    """Hold a range of trace ids, both ends in it."""

    first: int
    last: int

    def parameters(self) -> dict[str, Parameter]:
        return {"first_trace": f"{self.first:032x}", "last_trace": f"{self.last:032x}"}


@dataclass(frozen=True, slots=True)
class _Cut:
    """Hold how a bucket of so many rows is cut into slices."""

    rows: int
    slice_spans: int

    @property
    def one_in(self) -> int:
        return max(1, self.rows // SAMPLE_SPANS)


def read_bucket(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    bucket_s: int,
    rows: int,
    counted: Window | None = None,
    slice_spans: int = SLICE_SPANS,
) -> pa.Table:
    """Return the summary of a bucket, a row a slice.

    Args:
        reader: where the spans are.
        tenant: whose they are.
        bucket_s: when it begins.
        rows: about how many spans it has.
        counted: the part of the bucket of which the spans count; all of it without.
        slice_spans: how many are read at once.
    """
    bucket = bucket_of(bucket_s)
    slices: Sequence[_Slice | None] = [None]
    left_out = 0
    if rows > slice_spans:
        slices, left_out = _slices(reader, tenant, bucket, _Cut(rows, slice_spans))
    parts = []
    for number, part in enumerate(slices):
        table, missing = _whole_traces(reader, tenant, bucket, part)
        lost = missing + (left_out if number == 0 else 0)
        parts.append(summarize(table, window=counted or bucket, left_out=lost))
    return pa.concat_tables(parts)


def _whole_traces(reader: TelemetryReader, tenant: Tenant, bucket: Window, part: _Slice | None) -> tuple[pa.Table, int]:
    """Return the spans of every trace that has one in the bucket, and how many rows were too many."""
    sliced = part is not None
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **bucket.parameters(),
        **({} if part is None else part.parameters()),
    }
    table = reader.read_table(tenant, sql.spans(sliced=sliced), parameters)
    crossing = reader.read(tenant, sql.crossing(sliced=sliced), {**parameters, "rows": CROSSING_MAX})
    if not crossing:
        return table, 0
    asked: dict[str, Parameter] = {
        "tenant": tenant,
        **bucket.parameters(),
        "trace_ids": ",".join(raw(row["trace_id"]).hex() for row in crossing),
        "buckets": ",".join(str(start) for start in sorted(_elsewhere(crossing, bucket))),
        "rows": ELSEWHERE_SPANS_MAX,
    }
    others = reader.read_table(tenant, sql.ELSEWHERE, asked)
    missing = others.num_rows if others.num_rows == ELSEWHERE_SPANS_MAX else 0
    return pa.concat_tables([table, others]), missing


def _elsewhere(crossing: Sequence[Row], bucket: Window) -> set[int]:
    """Return the buckets in which the rest of traces lies."""
    own_s = bucket.start_ns // 10**9
    span_s = ELSEWHERE_BUCKETS_MAX // 2 * BUCKET_S
    found: set[int] = set()
    for row in crossing:
        first_s = max(integer(row["first_s"]), own_s - span_s) // BUCKET_S * BUCKET_S
        last_s = min(integer(row["last_s"]), own_s + span_s)
        found.update(range(first_s, last_s + 1, BUCKET_S))
    # What of the bucket's own five minutes lies outside of it is nothing; the list must not be empty, though.
    return found


def _slices(reader: TelemetryReader, tenant: Tenant, bucket: Window, cut: _Cut) -> tuple[list[_Slice], int]:
    """Return ranges of traces with about as many spans each as are read at once, and how many are in none of them."""
    parameters: dict[str, Parameter] = {"tenant": tenant, **bucket.parameters()}
    giants = reader.read(tenant, sql.GIANTS, {**parameters, "spans_max": cut.slice_spans // 2})
    left_out = sum(integer(row["spans"]) for row in giants)
    sample = reader.read(tenant, sql.SAMPLE, {**parameters, "one_in": cut.one_in})
    too_large = {_number(row) for row in giants}
    traces = [number for number in map(_number, sample) if number not in too_large]
    # Half of a slice, as one trace more may fill the other half.
    step = max(1, cut.slice_spans // (2 * cut.one_in))
    cuts = sorted({*traces[step::step], _LAST_TRACE})
    return list(_ranges(cuts, sorted(too_large))), left_out


def _number(row: Row) -> int:
    return int.from_bytes(raw(row["trace_id"]), "big")


def _ranges(cuts: Sequence[int], left_out: Sequence[int]) -> Iterator[_Slice]:
    """Yield the ranges up to each cut, around the numbers that are left out."""
    first = 0
    for last in sorted({*cuts, *(number - 1 for number in left_out), *left_out}):
        if last not in left_out and last >= first:
            yield _Slice(first, last)
        first = last + 1
