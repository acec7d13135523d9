"""Slots: the fixed-width places of a serialized body that get a fresh value in every copy.

Invariant: knows bytes and offsets only, not what a slot means. A body is built once as a real protobuf message whose
variable fields hold sentinels (eight bytes that name a section and an index of the table of values); the serialized
bytes are searched for them, and a copy is stamped out by one gather from the table and one scatter into the bytes.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MAGIC: Final = b"\x01~"
_FIRST_DIGIT: Final = 0x30
_DIGITS: Final = 5
_INDEX_MAX: Final = 64**_DIGITS
SLOT_BYTES: Final = 8


class SlotMismatchError(RuntimeError):
    """Report a body whose sentinels found differ in number from those written."""


class SlotOverflowError(ValueError):
    """Report a table section with more entries than a sentinel can name."""


class Sentinels:
    """Hand out sentinels and count them, so that a body can prove that all were found again."""

    def __init__(self) -> None:
        """Start with none written."""
        self.written = 0
        self._pools: dict[str, int] = {}

    def take(self, section: str) -> int:
        """Return the next unused index of a section (sections whose entries belong to one slot each)."""
        index = self._pools.get(section, 0)
        self._pools[section] = index + 1
        return index

    def taken(self, section: str) -> int:
        """Return how many indices of a section were taken."""
        return self._pools.get(section, 0)

    def raw(self, section: str, index: int) -> bytes:
        """Return eight bytes, each below 0x80, that name an entry (for `bytes` fields)."""
        if not 0 <= index < _INDEX_MAX:
            raise SlotOverflowError(f"section {section!r} cannot name entry {index}, the limit is {_INDEX_MAX}")
        self.written += 1
        digits = bytes(_FIRST_DIGIT + (index >> shift & 63) for shift in (24, 18, 12, 6, 0))
        return _MAGIC + section.encode() + digits

    def text(self, section: str, index: int) -> str:
        """Return the sentinel for use inside a string field."""
        return self.raw(section, index).decode("ascii")

    def fixed(self, section: str, index: int) -> int:
        """Return the sentinel for a fixed64 or sfixed64 field."""
        return int.from_bytes(self.raw(section, index), "little")

    def double(self, section: str, index: int) -> float:
        """Return the sentinel for a double field."""
        value: float = struct.unpack("<d", self.raw(section, index))[0]
        return value


@dataclass(frozen=True)
class Table:
    """Hold the values of one round: one 8-byte value an entry, sections joined, and a pool of 2-byte varints."""

    values: Words
    varints: NDArray[np.uint16]


@dataclass(frozen=True)
class Sections:
    """Say where each section starts in the table of values."""

    starts: dict[str, int]

    @classmethod
    def of(cls, sizes: dict[str, int]) -> "Sections":
        """Lay sections out one after the other."""
        starts: dict[str, int] = {}
        position = 0
        for name, size in sizes.items():
            starts[name] = position
            position += size
        return cls(starts)

    def lookup(self) -> NDArray[np.int64]:
        """Return the starts by the section's character code."""
        table = np.full(128, -1, np.int64)
        for name, start in self.starts.items():
            table[ord(name)] = start
        return table


@dataclass(frozen=True)
class BodyTemplate:
    """Hold one serialized body and where its slots are."""

    data: NDArray[np.uint8]
    items: int
    offsets: NDArray[np.int64]
    sources: NDArray[np.int64]
    varint_offsets: NDArray[np.int64]
    varint_first: int

    @classmethod
    def of(
        cls, body: bytes, *, items: int, written: int, sections: Sections, varints: "VarintFinder"
    ) -> "BodyTemplate":
        """Find the slots of a body; raise `SlotMismatchError` when not exactly `written` sentinels are there."""
        data = np.frombuffer(body, np.uint8)
        offsets = np.flatnonzero((data[:-1] == _MAGIC[0]) & (data[1:] == _MAGIC[1]))
        if len(offsets) != written:
            raise SlotMismatchError(f"{written} sentinels were written into a body but {len(offsets)} found")
        index = np.zeros(len(offsets), np.int64)
        for digit in range(_DIGITS):
            index = index << 6 | (data[offsets + 3 + digit].astype(np.int64) - _FIRST_DIGIT)
        sources = sections.lookup()[data[offsets + 2]] + index
        found, first = varints.find(body)
        return cls(data, items, offsets, sources, found, first)

    def stamp(self, table: Table, scratch: "Scratch") -> bytes:
        """Return a copy of the body with the table's values in its slots."""
        scratch.fill(self.data)
        scratch.words[self.offsets] = table.values[self.sources]
        if len(self.varint_offsets):
            stop = self.varint_first + len(self.varint_offsets)
            scratch.halves[self.varint_offsets] = table.varints[self.varint_first : stop]
        return scratch.data[: len(self.data)].tobytes()


class VarintFinder:
    """Find int attributes by key whose two-byte varint may be replaced by any other two-byte varint."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        """Remember the attribute keys."""
        names = b"|".join(re.escape(key.encode()) for key in sorted(keys))
        self._pattern = re.compile(rb"(" + names + rb")\x12\x03\x18([\x80-\xff][\x01-\x7f])", re.DOTALL)
        self.found: list[str] = []
        """The key of each place found, all bodies after one another."""

    def find(self, body: bytes) -> tuple[NDArray[np.int64], int]:
        """Return the offsets in the body and the pool index of the first of them."""
        matches = list(self._pattern.finditer(body))
        first = len(self.found)
        self.found += [match[1].decode() for match in matches]
        return np.array([match.start(2) for match in matches], np.int64), first


class Scratch:
    """Be the one buffer that bodies are stamped in, seen at every byte offset as 8-byte and 2-byte words."""

    def __init__(self, size_bytes: int) -> None:
        """Allocate for bodies of at most `size_bytes`."""
        room = size_bytes + SLOT_BYTES
        self.data: NDArray[np.uint8] = np.zeros(room, np.uint8)
        self.words: Words = np.ndarray((room - 7,), np.dtype("<u8"), buffer=self.data, strides=(1,))
        self.halves: NDArray[np.uint16] = np.ndarray((room - 1,), np.dtype("<u2"), buffer=self.data, strides=(1,))

    def fill(self, data: NDArray[np.uint8]) -> None:
        """Copy a template's bytes in."""
        self.data[: len(data)] = data
