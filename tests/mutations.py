"""Bytes that were something once: seeded mutations of good bodies. It does not know what the bytes mean."""

from collections.abc import Callable, Sequence
from random import Random

_EDITS_MAX = 3  # more, and hardly any body is still one
_INTERESTING = (0x00, 0x01, 0x08, 0x0A, 0x12, 0x7F, 0x80, 0xFF)


def _flip(random: Random, body: bytearray) -> None:
    body[random.randrange(len(body))] ^= 1 << random.randrange(8)


def _set(random: Random, body: bytearray) -> None:
    body[random.randrange(len(body))] = random.choice(_INTERESTING)


def _cut(random: Random, body: bytearray) -> None:
    start = random.randrange(len(body))
    del body[start : start + random.randrange(1, 20)]


def _insert(random: Random, body: bytearray) -> None:
    start = random.randrange(len(body) + 1)
    body[start:start] = random.randbytes(random.randrange(1, 9))


def _repeat(random: Random, body: bytearray) -> None:
    start = random.randrange(len(body))
    part = body[start : start + random.randrange(1, 60)]
    target = random.randrange(len(body) + 1)
    body[target:target] = part


def _truncate(random: Random, body: bytearray) -> None:
    del body[random.randrange(len(body)) :]


_EDITS: Sequence[Callable[[Random, bytearray], None]] = (*[_flip] * 6, *[_set] * 3, _cut, _insert, _repeat, _truncate)


def mutated(random: Random, body: bytes) -> bytes:
    """Return the body with a few edits."""
    edited = bytearray(body)
    for _ in range(random.randrange(1, _EDITS_MAX + 1)):
        if not edited:
            break
        random.choice(_EDITS)(random, edited)
    return bytes(edited)
