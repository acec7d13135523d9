import pytest

from homeostat.buffer.records import BODY_BYTES_MAX, HEAD_BYTES, SIGNALS, Record, head_of, heads, written


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_record_says_what_it_holds(signal: str) -> None:
    """Signal, items and length are in its head, and the checksum is the request's."""
    record = Record(signal, 17, b"request")
    content = written(record)
    head = head_of(content)
    assert head is not None
    assert (head.signal, head.items, head.body_bytes, head.done) == (signal, 17, 7, False)
    assert head.size_bytes == len(content)
    assert head.fits(content[HEAD_BYTES:])


@pytest.mark.parametrize("change", [b"Request", b"request ", b"reques"])
def test_another_request_does_not_fit(change: bytes) -> None:
    """A changed bit, a longer and a shorter request are seen."""
    head = head_of(written(Record("traces", 1, b"request")))
    assert head is not None
    assert not head.fits(change)


@pytest.mark.parametrize(
    "content", [b"", b"HSR1", b"nonsense" * 10, b"HSR1\x00\x63" + bytes(14), b"HSR1" + b"\xff" * 16]
)
def test_what_is_no_record_has_no_head(content: bytes) -> None:
    """Too short, other bytes, an unknown signal, a length that nobody wrote."""
    assert head_of(content) is None


def test_every_torn_end_is_seen() -> None:
    """Wherever a file was cut, the records before the cut are found, and none after it."""
    records = [Record("traces", 1, b"first"), Record("logs", 2, b""), Record("metrics", 3, b"third")]
    whole = b"".join(written(record) for record in records)
    ends = [sum(len(written(record)) for record in records[:count]) for count in range(1, 4)]
    for cut in range(len(whole) + 1):
        assert [head.items for _, head in heads(whole[:cut])] == [1, 2, 3][: sum(end <= cut for end in ends)]


def test_a_request_has_a_bound() -> None:
    """A longer one would not be found again."""
    with pytest.raises(ValueError, match="at most"):
        written(Record("traces", 1, bytes(BODY_BYTES_MAX + 1)))
