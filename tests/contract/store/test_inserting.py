from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from homeostat_server.exceptions import SegmentRejected, StoreUnavailable
from homeostat_server.model.segment import NODE_BITS, SealedSegment
from homeostat_server.model.signal import Signal
from tests import otlp
from tests.contract.store.conftest import World
from tests.otlp import NOW_NS, SPAN_ID, TRACE_ID
from tests.segment_files import record, write_bytes, write_segment


def all_metrics() -> Message:
    """Return a point of every kind, some with an exemplar."""
    return otlp.metrics(
        otlp.metric(otlp.number(exemplars=[otlp.exemplar()]), name="gauge"),
        otlp.sum_metric(otlp.number(as_int=7), otlp.number(time_unix_nano=NOW_NS + 1), name="sum"),
        otlp.metric(otlp.histogram(exemplars=[otlp.exemplar(), otlp.exemplar()]), name="histogram"),
        otlp.metric(otlp.exponential(), name="exponential"),
        otlp.metric(otlp.summary(), name="summary"),
    )


REQUESTS: dict[Signal, Callable[[], Message]] = {
    Signal.TRACES: lambda: otlp.traces(otlp.span(), otlp.span(span_id=SPAN_ID[::-1])),
    Signal.LOGS: lambda: otlp.logs(otlp.record(), otlp.record(), otlp.record()),
    Signal.METRICS: all_metrics,
}
TABLES: dict[Signal, tuple[str, ...]] = {
    Signal.TRACES: ("spans", "trace_bounds", "sources"),
    Signal.LOGS: ("logs", "sources"),
    Signal.METRICS: (
        "samples",
        "histograms",
        "exponential_histograms",
        "summaries",
        "exemplars",
        "series",
        "sources",
    ),
}
ROWS: dict[Signal, tuple[int, ...]] = {
    Signal.TRACES: (2, 1, 1),
    Signal.LOGS: (3, 1),
    Signal.METRICS: (3, 1, 1, 1, 3, 5, 1),
}


@pytest.mark.parametrize("signal", Signal)
def test_rows_are_visible_on_return(world: World, signal: Signal) -> None:
    """What a segment holds is there, derived rows too, for the first read after the call."""
    tenant = world.tenant()
    world.insert(tenant, REQUESTS[signal]())
    assert world.counts(tenant, *TABLES[signal]) == ROWS[signal]


@pytest.mark.parametrize("signal", Signal)
def test_a_replay_changes_nothing(world: World, signal: Signal) -> None:
    """A segment that was stored whole and comes again, because nobody knew, is there once."""
    tenant = world.tenant()
    segment = world.insert(tenant, REQUESTS[signal]())
    for _ in range(2):
        world.store.insert_segment(segment)
    assert world.counts(tenant, *TABLES[signal]) == ROWS[signal]


@pytest.mark.parametrize("signal", Signal)
def test_a_replay_of_what_never_came_inserts(world: World, signal: Signal) -> None:
    """After a crash nobody knows how far the insert was; it may not have begun."""
    tenant = world.tenant()
    world.store.insert_segment(replace(world.segment(tenant, REQUESTS[signal]()), replay=True))
    assert world.counts(tenant, *TABLES[signal]) == ROWS[signal]


def test_a_replay_takes_back_its_own_rows_only(world: World) -> None:
    """Rows of other segments, before and after it, stay."""
    tenant = world.tenant()
    world.insert(tenant, otlp.traces(otlp.span(name="before")))
    segment = world.insert(tenant, otlp.traces(otlp.span(name="replayed")))
    world.insert(tenant, otlp.traces(otlp.span(name="after")))
    world.store.insert_segment(segment)
    rows = world.store.read(tenant, "SELECT name FROM telemetry.spans ORDER BY segment", {})
    assert [row["name"] for row in rows] == [b"before", b"replayed", b"after"]


def test_a_segment_holds_requests_of_many_tenants(world: World) -> None:
    """Each row belongs to the tenant that its record names."""
    one, other = world.tenant(), world.tenant()
    sent = [(one, otlp.logs(otlp.record())), (other, otlp.logs(*[otlp.record()] * 2)), (one, otlp.logs(otlp.record()))]
    world.store.insert_segment(write_segment(world.folder, sent, number=next(world.numbers)))
    assert (world.count(one, "logs"), world.count(other, "logs")) == (2, 2)


def test_rows_carry_their_segment_and_its_time(world: World) -> None:
    """The number is a column, and what it says of the time of receipt as well."""
    tenant = world.tenant()
    segment = world.insert(tenant, otlp.logs(otlp.record()))
    row = world.store.read(tenant, "SELECT segment, toUnixTimestamp(received) AS s FROM telemetry.logs", {})[0]
    assert row == {"segment": segment.number, "s": (segment.number >> NODE_BITS) // 1_000_000}


def test_requests_without_items_are_stored_as_nothing(world: World) -> None:
    """An empty request is one that OTLP allows."""
    tenant = world.tenant()
    for request in (otlp.traces(), otlp.logs(), otlp.metrics(), otlp.metrics(Metric(name="empty"))):
        world.insert(tenant, request)
    assert world.counts(tenant, "spans", "logs", "samples", "series") == (0, 0, 0, 0)


def test_what_waited_counts_from_when_it_was_received(world: World) -> None:
    """A series that a later segment made known already is known from the earlier one on, once that is stored."""
    tenant = world.tenant()
    early = world.segment(tenant, otlp.metrics(otlp.metric(otlp.number())))
    late_s = NOW_NS // 10**9 + 7_200
    late = write_segment(
        world.folder, [(tenant, otlp.metrics(otlp.metric(otlp.number())))], number=late_s * 1_000_000 << NODE_BITS
    )
    world.store.insert_segment(late)
    world.store.insert_segment(replace(early, replay=True))
    for table in ("series", "sources"):
        seen = f"SELECT toUnixTimestamp(min(first_seen)) AS s FROM telemetry.{table}"
        assert world.store.read(tenant, seen, {}) == [{"s": NOW_NS // 10**9}]


TABLES_WITH_SEGMENT = {
    Signal.TRACES: ("spans",),
    Signal.LOGS: ("logs",),
    Signal.METRICS: ("samples", "histograms", "exponential_histograms", "summaries", "exemplars"),
}
REJECTED = {
    "an id that is too long": (Signal.TRACES, otlp.traces(otlp.span(trace_id=TRACE_ID + b"x"))),
    "a link's id that is too long": (
        Signal.TRACES,
        otlp.traces(otlp.span(links=[{"trace_id": TRACE_ID, "span_id": SPAN_ID + b"x"}])),
    ),
    "an id of a log record that is too long": (Signal.LOGS, otlp.logs(otlp.record(span_id=b"123456789"))),
    "logs among traces": (Signal.TRACES, otlp.logs(otlp.record(body={"string_value": "x" * 500}))),
    "traces among metrics": (Signal.METRICS, otlp.traces(otlp.span())),
}


@pytest.mark.parametrize("what", sorted(REJECTED))
def test_what_cannot_be_decoded_is_rejected_and_leaves_nothing(world: World, what: str) -> None:
    """It can never be stored, which is something else than not now, and its neighbours in the segment wait."""
    signal, request = REJECTED[what]
    tenant = world.tenant()
    bodies = (REQUESTS[signal]().SerializeToString(), request.SerializeToString())
    content = b"".join(record(tenant, body) for body in bodies)
    segment = write_bytes(world.folder, content, signal=signal, number=next(world.numbers))
    with pytest.raises(SegmentRejected) as refusal:
        world.store.insert_segment(segment)
    assert not refusal.value.retryable
    assert not any(world.counts(tenant, *TABLES_WITH_SEGMENT[signal]))


def test_a_late_rejection_takes_back_the_tables_before(world: World) -> None:
    """Points are in when the exemplars turn out to be impossible: the segment is whole or not at all."""
    tenant = world.tenant()
    point = otlp.number(exemplars=[otlp.exemplar(trace_id=TRACE_ID + b"x")])
    with pytest.raises(SegmentRejected):
        world.insert(tenant, otlp.metrics(otlp.metric(point)))
    assert world.counts(tenant, "samples", "exemplars") == (0, 0)


@pytest.mark.parametrize("cut", [1, 5, 30])
@pytest.mark.parametrize("signal", Signal)
def test_a_torn_record_is_rejected_until_it_is_whole(world: World, signal: Signal, cut: int) -> None:
    """The same number with a whole file is stored, once."""
    tenant = world.tenant()
    body = record(tenant, REQUESTS[signal]().SerializeToString())
    torn = write_bytes(world.folder, body[:-cut], signal=signal, number=next(world.numbers))
    with pytest.raises(SegmentRejected):
        world.store.insert_segment(torn)
    whole = write_bytes(world.folder, body, signal=signal, number=torn.number)
    world.store.insert_segment(replace(whole, replay=True))
    assert world.counts(tenant, *TABLES[signal]) == ROWS[signal]


@pytest.mark.parametrize("content", [b"\xff" * 500, b"\x05abc", b"not a segment at all, by no means"])
def test_bytes_that_are_no_segment_are_rejected(world: World, content: bytes) -> None:
    """Whatever they are."""
    segment = write_bytes(world.folder, content, signal=Signal.TRACES, number=next(world.numbers))
    with pytest.raises(SegmentRejected):
        world.store.insert_segment(segment)


def test_a_segment_that_cannot_be_read_may_pass_later(world: World) -> None:
    """The file is not there, or is a folder; once it is back, its rows are stored."""
    tenant = world.tenant()
    segment = world.segment(tenant, otlp.logs(otlp.record()))
    kept = segment.path.rename(segment.path.with_suffix(".away"))
    with pytest.raises(StoreUnavailable) as refusal:
        world.store.insert_segment(segment)
    assert refusal.value.retryable
    segment.path.mkdir()
    with pytest.raises(StoreUnavailable):
        world.store.insert_segment(segment)
    segment.path.rmdir()
    kept.rename(segment.path)
    world.store.insert_segment(segment)
    assert world.count(tenant, "logs") == 1


@pytest.mark.parametrize("name", ["a b", "é", "it's", "100%", "[1]", 'a"b', "a\\b", "a#b"])
def test_a_segment_may_lie_anywhere(world: World, name: str) -> None:
    """The path is quoted, whatever characters it has."""
    tenant = world.tenant()
    world.store.insert_segment(in_folder(world, tenant, name))
    assert world.count(tenant, "logs") == 1


@pytest.mark.parametrize("name", ["{a,b}", "{1..2}", "*", "a?b", "**"])
def test_a_path_that_would_be_a_pattern_is_refused(world: World, name: str) -> None:
    """An engine that expands it finds other files or none, and would say that all is stored."""
    tenant = world.tenant()
    with pytest.raises(StoreUnavailable):
        world.store.insert_segment(in_folder(world, tenant, name))
    assert world.count(tenant, "logs") == 0


def in_folder(world: World, tenant: str, name: str) -> SealedSegment:
    """Return a segment that lies in a folder of this name."""
    folder: Path = world.folder / name
    folder.mkdir(exist_ok=True)
    return write_segment(folder, [(tenant, otlp.logs(otlp.record()))], number=next(world.numbers))
