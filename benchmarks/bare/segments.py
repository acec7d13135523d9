"""Segment files as the spool writes them, without the spool. It inserts nothing."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.realistic import Restamper
from homeostat_server.ingest.segment import digest_of, frame, segment_name
from homeostat_server.model.segment import NODE_BITS, SealedSegment
from homeostat_server.model.signal import Signal

_TENANT: Final = b"default"


@dataclass(frozen=True, slots=True)
class FilledSegment:
    """Hold a segment file and how many items are in it."""

    segment: SealedSegment
    items: int


def write_segment(folder: Path, *, signal: Signal, stock: Restamper, size_bytes: int) -> FilledSegment:
    """Write the next bodies of a stock to a segment file of about this size."""
    now_ns = time.time_ns()
    number = now_ns // 1000 << NODE_BITS
    path = folder / segment_name(number)
    written = items = records = 0
    with path.open("wb") as file:
        while written < size_bytes:
            body = stock.next(now_ns)
            head, tail = frame(_TENANT, body_bytes=len(body.data), digest=digest_of(_TENANT, body.data))
            written += file.write(head) + file.write(body.data) + file.write(tail)
            items += body.items
            records += 1
    segment = SealedSegment(signal=signal, number=number, path=path, records=records, size_bytes=written)
    return FilledSegment(segment, items)
