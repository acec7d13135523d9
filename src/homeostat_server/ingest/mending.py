"""A second chance for segments that the engine refuses: the same requests, written again in the canonical way.

Protobuf parsers have to take what the engine's does not (another wire type than declared, groups, overlong numbers),
and what was acknowledged has to be stored. The segment itself is not touched: a copy beside it lives for one insert,
and one that a crash leaves is removed at the next start.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from homeostat_server.exceptions import InvalidRequest, SegmentRejected
from homeostat_server.ingest.checks.examination import canonical
from homeostat_server.ingest.committer import SegmentSink
from homeostat_server.ingest.disk import Disk, write_whole
from homeostat_server.ingest.scanning import Record, body_of, scan
from homeostat_server.ingest.segment import digest_of, frame, unfinished_name
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal


class MendingSink:
    """Implement `homeostat_server.ingest.committer.SegmentSink` around another."""

    def __init__(self, sink: SegmentSink, *, disk: Disk) -> None:
        """Surround a sink; `disk` is the one that the segments are on."""
        self._sink = sink
        self._disk = disk

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store a segment; when it is refused, store a canonical copy under the same number.

        Raises:
            StoreUnavailable: not now; rows may be left behind.
            SegmentRejected: the copy was refused as well, or could not be made.
        """
        try:
            self._sink.insert_segment(segment)
        except SegmentRejected as refusal:
            with self._canonical_copy(segment, refusal) as copy:
                self._sink.insert_segment(copy)

    @contextlib.contextmanager
    def _canonical_copy(self, segment: SealedSegment, refusal: SegmentRejected) -> Iterator[SealedSegment]:
        data = self._disk.read(segment.path)
        found = scan(data)
        if not found.clean:
            raise refusal
        try:
            buffers = [buffer for record in found.records for buffer in _rewritten(segment.signal, data, record)]
        except InvalidRequest as error:
            raise refusal from error
        path = segment.path.with_name(unfinished_name(segment.number))
        try:
            write_whole(self._disk, path, buffers)
            yield replace(segment, path=path, size_bytes=sum(map(len, buffers)), replay=True)
        finally:
            with contextlib.suppress(OSError):  # the next start removes it
                self._disk.unlink(path)


def _rewritten(signal: Signal, data: bytes, record: Record) -> tuple[bytes, bytes, bytes]:
    body = canonical(signal, body=body_of(data, record))
    tenant = record.tenant.encode()
    head, tail = frame(tenant, body_bytes=len(body), digest=digest_of(tenant, body))
    return head, body, tail
