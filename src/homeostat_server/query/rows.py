"""The values of a row with their types said. It knows how the store gives values back, not what they mean."""

from typing import Final, cast

_ZERO: Final = ord("0")

Pairs = list[tuple[bytes, bytes]]
"""A map as the store gives it: keys and values in their order, keys may repeat."""


def integer(value: object) -> int:
    """Return a column of whole numbers."""
    return cast("int", value)


def real(value: object) -> float:
    """Return a column of real numbers."""
    return cast("float", value)


def raw(value: object) -> bytes:
    """Return a column of bytes."""
    return cast("bytes", value)


def text(value: object) -> str:
    """Return a column of text; bytes that are none are replaced, so that one odd value cannot spoil an answer."""
    return cast("bytes", value).decode("utf-8", "replace")


def texts(value: object) -> list[str]:
    """Return a column of arrays of text."""
    return [text(item) for item in cast("list[object]", value)]


def integers(value: object) -> list[int]:
    """Return a column of arrays of whole numbers."""
    return cast("list[int]", value)


def digits(value: object) -> list[int]:
    """Return a column of words of digits, each digit for itself."""
    return [digit - _ZERO for digit in cast("bytes", value)]


def reals(value: object) -> list[float]:
    """Return a column of arrays of real numbers."""
    return cast("list[float]", value)


def raws(value: object) -> list[bytes]:
    """Return a column of arrays of bytes."""
    return cast("list[bytes]", value)


def pairs(value: object) -> Pairs:
    """Return a column of maps."""
    return cast("Pairs", value)
