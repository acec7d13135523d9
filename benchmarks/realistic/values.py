"""Vectors of random-looking numbers and their encodings as eight bytes.

Invariant: pure functions of their arguments; the same seed and round give the same values on every machine.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

ROUND_BITS: Final = 24
"""An entity is named by `round << 24 | index`: 16 M entities a round, 2^40 rounds."""

_USERS: Final = 1_000_000
_MIX_A: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B: Final = np.uint64(0x94D049BB133111EB)
_GOLDEN: Final = 0x9E3779B97F4A7C15
_SCATTER: Final = np.uint64(48_271_009)
_EIGHT_DIGITS: Final = np.uint64(100_000_000)

VARINT_MIN: Final = 128
VARINT_MAX: Final = 16_383
"""The numbers whose varint has two bytes."""

_SIZES: Final = 4_096
_SIZES_SEED: Final = 20_260_101


def _mixed(words: Words) -> Words:
    """Mix with the finalizer of SplitMix64 (Steele, Lea, Flood 2014), a bijection: distinct in, distinct out."""
    words = (words ^ (words >> np.uint64(30))) * _MIX_A
    words = (words ^ (words >> np.uint64(27))) * _MIX_B
    return words ^ (words >> np.uint64(31))


def identities(domain: int, *, seed: int, round_number: int, index: NDArray[np.int64]) -> Words:
    """Return ids that are unique within a seed and domain over all rounds."""
    salt = np.uint64(((seed * 16 + domain + 1) * _GOLDEN) & 0xFFFFFFFFFFFFFFFF)
    return _mixed((np.uint64(round_number << ROUND_BITS) | index.astype(np.uint64)) ^ salt)


def generator(*, seed: int, round_number: int, purpose: int) -> np.random.Generator:
    """Return the random generator of one round and purpose."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, purpose, round_number])))


def digits(numbers: Words) -> Words:
    """Return numbers below 10^8 as eight ASCII digits each."""
    four = np.arange(10_000, dtype=np.uint64)
    table = sum(
        ((four // np.uint64(10 ** (3 - place))) % np.uint64(10) + np.uint64(48)) << np.uint64(8 * place)
        for place in range(4)
    )
    table = np.asarray(table, np.uint64)
    numbers = numbers % _EIGHT_DIGITS
    words: Words = table[numbers // np.uint64(10_000)] | (table[numbers % np.uint64(10_000)] << np.uint64(32))
    return words


def hexadecimal(numbers: Words) -> Words:
    """Return the low 32 bits of numbers as eight ASCII hexadecimal digits each."""
    nibbles = np.frombuffer(b"0123456789abcdef", np.uint8).astype(np.uint64)
    low = np.arange(65_536, dtype=np.uint64)
    parts = [nibbles[(low >> np.uint64(12 - 4 * place)) & np.uint64(15)] << np.uint64(8 * place) for place in range(4)]
    table = parts[0] | parts[1] | parts[2] | parts[3]
    high, low_half = (numbers >> np.uint64(16)) & np.uint64(0xFFFF), numbers & np.uint64(0xFFFF)
    words: Words = table[high] | (table[low_half] << np.uint64(32))
    return words


def users(random: np.random.Generator, count: int) -> Words:
    """Return user numbers of eight digits, zipf-like (log-uniform rank) over a million users."""
    rank = np.floor(_USERS ** random.random(count)).astype(np.uint64)
    return (rank * _SCATTER) % _EIGHT_DIGITS


def _common_sizes() -> NDArray[np.uint16]:
    """Return sizes by how common they are: the same answers, pages and errors are sent again and again."""
    source = np.random.Generator(np.random.SFC64(_SIZES_SEED))
    median, spread = np.log(900.0), 1.0  # bytes or microseconds; two thirds are between 330 and 2,400
    drawn = np.exp(median + spread * source.standard_normal(_SIZES))
    sizes: NDArray[np.uint16] = np.clip(drawn, VARINT_MIN, VARINT_MAX).astype(np.uint16)
    return sizes


def varints(random: np.random.Generator, counters: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Return varints of exactly two bytes as little-endian words, one for each entry of `counters`.

    Where that is true any number is as likely as another, as of a counter seen at any moment. Elsewhere they are sizes
    and waits: log-normal, the most common ones most often (the rank is zipf-like, log-uniform, over 4,096 of them).
    """
    rank = np.floor(_SIZES ** random.random(len(counters))).astype(np.int64) - 1
    number = _common_sizes()[rank]
    number[counters] = random.integers(VARINT_MIN, VARINT_MAX + 1, int(counters.sum()), np.uint16)
    words: NDArray[np.uint16] = ((number & np.uint16(127)) | np.uint16(128)) | (
        (number >> np.uint16(7)) << np.uint16(8)
    )
    return words


def doubles(values: Floats) -> Words:
    """Return doubles as words."""
    return np.ascontiguousarray(values, np.float64).view(np.uint64)


def integers(values: NDArray[np.int64]) -> Words:
    """Return signed integers as words."""
    return np.ascontiguousarray(values, np.int64).view(np.uint64)
