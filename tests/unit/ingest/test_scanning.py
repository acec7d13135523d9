"""What the scan of a segment makes of particular damages."""

from homeostat_server.ingest.scanning import scan
from homeostat_server.ingest.segment import digest_of, frame


def _record(tenant: bytes, body: bytes) -> bytes:
    head, tail = frame(tenant, body_bytes=len(body), digest=digest_of(tenant, body))
    return head + body + tail


def test_zeros_at_the_end_are_torn() -> None:
    """A length that became durable before the bytes is no damage: nobody was told that these bytes are there."""
    good = _record(b"acme", b"body")
    found = scan(good + bytes(500))
    assert (len(found.records), found.damage, found.torn_bytes) == (1, (), 500)


def test_two_damaged_bodies_leave_the_records_between_and_behind() -> None:
    """A damaged body costs its own record, however many there are."""
    frames = [_record(b"acme", b"body %d" % number * 5) for number in range(5)]
    for index in (1, 3):
        frames[index] = frames[index][:20] + b"?" + frames[index][21:]
    found = scan(b"".join(frames))
    assert [record.start for record in found.records] == [sum(map(len, frames[:index])) for index in (0, 2, 4)]
    assert [damage.reason for damage in found.damage] == ["the digest does not match the record"] * 2


def test_between_two_broken_frames_nothing_is_believed() -> None:
    """Behind a broken frame, records count only where all that follows is verified; the rest is damage, not lost."""
    frames = [_record(b"acme", b"body %d" % number * 5) for number in range(5)]
    for index in (1, 3):
        frames[index] = b"\0" + frames[index][1:]
    found = scan(b"".join(frames))
    before_last = sum(map(len, frames[:4]))
    assert [record.start for record in found.records] == [0, before_last]
    assert [(damage.start, damage.end) for damage in found.damage] == [(len(frames[0]), before_last)]


def test_a_frame_that_leads_to_a_damaged_record_is_no_boundary() -> None:
    """A forged record that leads on to the end is not believed when what it leads to is not verified."""
    bait = b"x" * 30
    head, tail = frame(b"mallory", body_bytes=len(bait), digest=bytes(16))
    forged = _record(b"globex", b"forged") + head + bait + tail
    broken = b"\0" + _record(b"acme", b"before")[1:]
    found = scan(broken + forged)
    assert found.records == ()
    assert [(damage.start, damage.end) for damage in found.damage] == [(0, len(broken + forged))]


def test_a_hostile_body_does_not_make_the_scan_slow() -> None:
    """The search behind a broken frame gives up after hashing a multiple of the file; the rest is damage."""
    tail_bytes = 18
    body = b""
    for _ in range(800):  # each frame reaches from where it stands to the very end, and none is verified
        head, _tail = frame(b"m", body_bytes=len(body) + 2000, digest=bytes(16))
        body = head + body
    content = b"\0" + body + bytes(2000) + b"\x1a\x10" + bytes(16)
    assert len(body) > tail_bytes
    found = scan(content)
    assert found.records == ()
    assert [(damage.start, damage.end) for damage in found.damage] == [(0, len(content))]
