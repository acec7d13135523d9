import pytest

from homeostat.export.wire import BYTES, FIXED32, FIXED64, VARINT, Malformed, delimited, fields, signed, tag, varint


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, (1 << 63) - 1, (1 << 64) - 1])
def test_a_varint_is_read_back(number: int) -> None:
    """Whatever its length."""
    assert list(fields(tag(3, VARINT) + varint(number))) == [(3, number)]


@pytest.mark.parametrize("number", [-1, -300, -(1 << 63)])
def test_a_negative_number_is_in_twos_complement(number: int) -> None:
    """As int32 and int64 have it."""
    (_, found), *_ = fields(tag(1, VARINT) + varint(number))
    assert isinstance(found, int)
    assert signed(found) == number


@pytest.mark.parametrize("number", [1 << 64, -(1 << 64) - 1])
def test_a_number_of_more_bits_is_none(number: int) -> None:
    """It is an error, not another number."""
    with pytest.raises(OverflowError):
        varint(number)


def test_every_kind_of_field_is_read() -> None:
    """Numbers, fixed sizes and bytes, in their order."""
    message = tag(1, FIXED32) + b"\x01\0\0\0" + tag(2, FIXED64) + b"\x02" + bytes(7) + delimited(300, b"text")
    assert list(fields(message)) == [(1, 1), (2, 2), (300, b"text")]


@pytest.mark.parametrize(
    "message", [b"\x80", b"\x0a\x05abc", b"\x0b", tag(1, FIXED64) + b"1", b"\x08" + b"\xff" * 11, tag(2, BYTES)]
)
def test_what_protobuf_does_not_write_is_refused(message: bytes) -> None:
    """Torn varints, fields that end after the message, groups."""
    with pytest.raises(Malformed):
        list(fields(message))
