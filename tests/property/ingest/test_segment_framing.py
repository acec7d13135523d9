"""Framing and scanning, for all segments and all damages."""

import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.ingest.scanning import Scan, body_of, scan
from homeostat_server.ingest.segment import digest_of, frame

TENANTS = st.text(string.ascii_letters + string.digits + "!-_.*'()", min_size=1, max_size=150)
BODIES = st.one_of(st.binary(max_size=40), st.binary(min_size=100, max_size=300), st.just(b"\x0a" * 130))
RECORDS = st.lists(st.tuples(TENANTS, BODIES), min_size=1, max_size=6)


def _record(tenant: str, body: bytes) -> bytes:
    head, tail = frame(tenant.encode(), body_bytes=len(body), digest=digest_of(tenant.encode(), body))
    return head + body + tail


def _contents(data: bytes, found: Scan) -> list[tuple[str, bytes]]:
    return [(record.tenant, body_of(data, record)) for record in found.records]


def _index_at(frames: list[bytes], position: int) -> int:
    """Return which frame has the byte at a position."""
    for index, each in enumerate(frames):
        if position < len(each):
            return index
        position -= len(each)
    raise AssertionError


def _covered(found: Scan) -> int:
    spans = [(record.start, record.end) for record in found.records]
    spans = sorted(spans + [(damage.start, damage.end) for damage in found.damage])
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    return sum(end - start for start, end in spans)


@given(RECORDS)
def test_what_is_framed_is_found(records: list[tuple[str, bytes]]) -> None:
    """Any run of records scans to exactly these records."""
    data = b"".join(_record(*record) for record in records)
    found = scan(data)
    assert found.clean
    assert _contents(data, found) == records
    assert found.tenants == {tenant for tenant, _ in records}


@given(st.lists(st.tuples(TENANTS, BODIES), min_size=1, max_size=3))
def test_a_torn_end_is_told_from_damage_at_every_byte(records: list[tuple[str, bytes]]) -> None:
    """Cut anywhere, a segment keeps all whole records, has no damage, and says how long the torn end is."""
    frames = [_record(*record) for record in records]
    data = b"".join(frames)
    for cut in range(len(data)):
        found = scan(data[:cut])
        whole = 0
        while sum(map(len, frames[: whole + 1])) <= cut:
            whole += 1
        assert _contents(data, found) == records[:whole]
        assert not found.damage
        assert found.torn_bytes == cut - sum(map(len, frames[:whole]))


@given(RECORDS, st.data())
def test_a_flipped_bit_costs_one_record_and_is_never_silent(
    records: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    """Wherever a bit flips, the damaged record alone is lost, to damage and not to a torn tail; its neighbours stay."""
    frames = [_record(*record) for record in records]
    content = bytearray(b"".join(frames))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    hit = _index_at(frames, bit // 8)
    found = scan(bytes(content))
    assert _contents(bytes(content), found) == records[:hit] + records[hit + 1 :]
    assert found.damage
    assert found.torn_bytes == 0
    assert _covered(found) == len(content)


@given(RECORDS, st.data())
def test_overwritten_bytes_never_make_a_wrong_record(records: list[tuple[str, bytes]], data: st.DataObject) -> None:
    """Whatever a stretch is overwritten with, only records that were written come back, those before it all of them."""
    frames = [_record(*record) for record in records]
    whole = b"".join(frames)
    start = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.one_of(st.binary(min_size=1, max_size=64), st.integers(1, 600).map(bytes)))
    content = (whole[:start] + junk + whole[start + len(junk) :])[: len(whole)]
    found = scan(content)
    before = _index_at(frames, start)
    contents = _contents(content, found)
    assert contents[:before] == records[:before]
    assert all(each in records for each in contents)
    assert _covered(found) + found.torn_bytes == len(content)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_scanned_to_the_end(content: bytes) -> None:
    """Junk is damage or a torn tail, and every byte is accounted for."""
    found = scan(content)
    assert _covered(found) + found.torn_bytes == len(content)


@given(RECORDS, RECORDS, st.data())
def test_a_record_inside_a_body_is_never_taken_for_one(
    records: list[tuple[str, bytes]], forged: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    """A body full of whole records of other tenants stays a body, also when its own frame is damaged."""
    smuggled = b"".join(_record(*each) for each in forged)
    hostile = ("mallory", data.draw(st.binary(max_size=8)) + smuggled + data.draw(st.binary(max_size=8)))
    frames = [_record(*each) for each in [*records, hostile, *records]]
    content = bytearray(b"".join(frames))
    start = sum(map(len, frames[: len(records)]))
    bit = data.draw(st.integers(start * 8, (start + 12) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    found = scan(bytes(content))
    assert _contents(bytes(content), found) == [*records, *records]
