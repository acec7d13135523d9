"""Segments that the engine refuses get a second chance."""

import errno

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from homeostat_server.exceptions import SegmentRejected
from homeostat_server.ingest.committer import Committer
from homeostat_server.ingest.mending import MendingSink
from homeostat_server.ingest.segment import unfinished_name
from homeostat_server.ingest.testing import SimulatedDisk, SimulatedStore
from homeostat_server.model.segment import SealedSegment
from tests.unit.ingest.spool_world import ACME, World

UNKNOWN_GROUP = b"\xa3\x06\xa4\x06"
"""Field 100 as an empty group: every parser skips it, the engine's refuses it."""


def _request(name: str) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name=name)
    return request.SerializeToString()


@pytest.fixture
def disk() -> SimulatedDisk:
    """Give an empty disk."""
    return SimulatedDisk()


@pytest.fixture
def store(disk: SimulatedDisk) -> SimulatedStore:
    """Give a store that refuses groups."""
    store = SimulatedStore(disk)
    store.refuses = lambda body: UNKNOWN_GROUP in body
    return store


def _taken(disk: SimulatedDisk, *bodies: bytes) -> tuple[World, SealedSegment]:
    world = World(disk).recovered()
    for body in bodies:
        world.spool.append(ACME, body)
    world.write()
    world.clock.advance(1)
    segment = world.spool.take()
    assert segment is not None
    return world, segment


def test_what_the_engine_cannot_read_is_written_again(disk: SimulatedDisk, store: SimulatedStore) -> None:
    """All records of a refused segment are stored in canonical form under its number, and no copy is left."""
    world, segment = _taken(disk, _request("good"), _request("odd") + UNKNOWN_GROUP)
    MendingSink(store, disk=disk).insert_segment(segment)
    assert [row.body for row in store.rows] == [_request("good"), _request("odd")]
    assert {row.number for row in store.rows} == {segment.number}
    assert unfinished_name(segment.number) not in {entry.name for entry in disk.list_files(segment.path.parent)}
    world.spool.release(segment)


def test_a_copy_that_is_refused_as_well_ends_the_attempt(disk: SimulatedDisk, store: SimulatedStore) -> None:
    """The refusal of the copy is what the committer hears."""
    store.refuses = lambda _body: True
    _, segment = _taken(disk, _request("odd"))
    with pytest.raises(SegmentRejected):
        MendingSink(store, disk=disk).insert_segment(segment)
    assert store.rows == []


def test_what_is_no_request_at_all_is_refused_as_it_was(disk: SimulatedDisk, store: SimulatedStore) -> None:
    """Bytes that cannot be parsed cannot be written again."""
    store.refuses = lambda _body: True
    _, segment = _taken(disk, b"\xff\xff\xff")
    with pytest.raises(SegmentRejected):
        MendingSink(store, disk=disk).insert_segment(segment)
    assert store.inserts == 1


def test_a_damaged_segment_is_left_to_the_spool(disk: SimulatedDisk, store: SimulatedStore) -> None:
    """Only sound records are written again; damage is the spool's to mend."""
    _, segment = _taken(disk, _request("odd") + UNKNOWN_GROUP)

    class Refusing:
        def insert_segment(self, segment: SealedSegment) -> None:
            disk.overwrite(segment.path, disk.read(segment.path)[:-1])
            raise SegmentRejected("insert", value=segment.number)

    with pytest.raises(SegmentRejected):
        MendingSink(Refusing(), disk=disk).insert_segment(segment)


def test_a_full_disk_only_delays_the_second_chance(disk: SimulatedDisk, store: SimulatedStore) -> None:
    """The copy needs space; without it the committer tries again until there is some."""
    world = World(disk).recovered()
    world.spool.append(ACME, _request("odd") + UNKNOWN_GROUP)
    world.write()
    world.clock.advance(1)
    committer = Committer(world.spool, sink=MendingSink(store, disk=disk), clock=world.clock, jitter=lambda: 1.0)
    disk.fail(lambda _count, kind: errno.ENOSPC if kind == "create" else None)
    assert not committer.step()
    disk.fail(lambda _count, _kind: None)
    world.clock.advance(60)
    assert committer.step()
    assert [row.body for row in store.rows] == [_request("odd")]
