"""A sealed spool segment as a value, and what its number says. It knows neither how it is written nor inserted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeostat_server.model.signal import Signal

NODE_BITS: Final = 12
"""Low bits of a segment number that name the node, so that 4,096 nodes can write to one store without meeting."""

NODE_MAX: Final = (1 << NODE_BITS) - 1

_NANOSECONDS_PER_MICROSECOND: Final = 1_000


def received_ns(number: int) -> int:
    """Return when the segment with this number was begun, in nanoseconds since the Unix epoch."""
    return (number >> NODE_BITS) * _NANOSECONDS_PER_MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSegment:
    """Describe a segment file that is durable and will not change any more.

    Attributes:
        signal: what kind of telemetry the requests in it carry.
        number: UInt64, microseconds since the epoch << 12 | node; unique, and a column of every row made from it.
        path: the file: length-delimited protobuf `Tagged{string tenant=1; Request request=2; bytes digest=3}`.
        records: how many requests it holds, at least one.
        size_bytes: how long the file is.
        tenants: whose requests it holds.
        replay: whether an earlier attempt to insert it may have left rows, which have to be taken back first.
        acknowledged_ns: when its newest record was acknowledged (wall clock); for a left-over, when it was begun.
    """

    signal: Signal
    number: int
    path: Path
    records: int
    size_bytes: int
    tenants: frozenset[str] = frozenset()
    replay: bool = False
    acknowledged_ns: int = 0

    @property
    def received_ns(self) -> int:
        """Return when the first request in it was received, in nanoseconds since the Unix epoch."""
        return received_ns(self.number)
