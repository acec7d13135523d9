"""Numbers, names and frames of segments."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.ingest.scanning import body_of, scan
from homeostat_server.ingest.segment import SegmentNumbers, digest_of, frame, parse_name, segment_name, unfinished_name
from homeostat_server.model.segment import received_ns
from homeostat_server.runtime.testing import ManualClock


def test_a_number_is_the_time_and_the_node() -> None:
    """A segment's number carries microseconds since the epoch and the node, so its time of receipt follows from it."""
    clock = ManualClock(now_ns=1_700_000_000_123_456_789)
    number = SegmentNumbers(clock=clock, node=5).next()
    assert number == 1_700_000_000_123_456 << 12 | 5
    assert received_ns(number) == 1_700_000_000_123_456_000


def test_numbers_grow_while_the_clock_stands_still() -> None:
    """Two segments of the same microsecond have different numbers."""
    numbers = SegmentNumbers(clock=ManualClock())
    assert numbers.next() < numbers.next()


def test_numbers_grow_past_what_an_earlier_run_used() -> None:
    """A number that was observed, of whatever node, is never reached again although the clock is behind it."""
    clock = ManualClock()
    seen = SegmentNumbers(clock=clock, node=4095).next()
    clock.set_now_ns(clock.now_ns() - 10**15)
    numbers = SegmentNumbers(clock=clock, node=0)
    numbers.observe(seen)
    assert numbers.next() > seen
    assert numbers.newest() > seen


def test_an_old_number_does_not_hold_numbers_back() -> None:
    """Observing what is long past changes nothing: the next number is of now."""
    clock = ManualClock()
    numbers = SegmentNumbers(clock=clock)
    numbers.observe(1)
    assert received_ns(numbers.next()) == clock.now_ns()


@pytest.mark.parametrize("node", [-1, 4096])
def test_a_node_has_twelve_bits(node: int) -> None:
    """A node that would spill into the time is refused."""
    with pytest.raises(ValueError, match="0 to 4095"):
        SegmentNumbers(clock=ManualClock(), node=node)


def test_names_sort_as_numbers_do() -> None:
    """A file name has twenty digits, says its number, and says whether it counts."""
    assert segment_name(7) == "00000000000000000007.segment"
    assert parse_name(segment_name(7)) == (7, True)
    assert parse_name(unfinished_name(7)) == (7, False)
    assert segment_name(9) < segment_name(10) < segment_name(2**64 - 1)


@pytest.mark.parametrize("name", ["recent.log", "7.segment", "00000000000000000007.segment.bak", ""])
def test_other_files_are_no_segments(name: str) -> None:
    """What is not named as a segment is not taken for one."""
    assert parse_name(name) is None


def test_the_frame_is_protobuf() -> None:
    """A record is a length-delimited message whose second field is the sender's request, byte for byte."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().schema_url = "https://example.org" * 20
    body = request.SerializeToString()
    digest = digest_of(b"acme", body)
    head, tail = frame(b"acme", body_bytes=len(body), digest=digest)
    record = head + body + tail
    assert record[0] & 0x7F | (record[1] & 0x7F) << 7 == len(record) - 2
    assert head[2:8] == b"\x0a\x04acme"
    assert tail == b"\x1a\x10" + digest
    found = scan(record)
    assert found.clean
    assert ExportTraceServiceRequest.FromString(body_of(record, found.records[0])) == request


def test_tenant_and_body_do_not_run_together() -> None:
    """The same bytes divided otherwise between tenant and body are another request."""
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
