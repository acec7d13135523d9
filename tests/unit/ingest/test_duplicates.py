"""How long and how many requests are known."""

from homeostat_server.ingest.duplicates import Acknowledged, Duplicates
from homeostat_server.runtime.testing import ManualClock


def _digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _duplicates(clock: ManualClock, *, count_max: int = 100) -> Duplicates:
    return Duplicates(clock=clock, window_s=60, count_max=count_max)


def test_a_request_is_known_for_the_window_from_its_acknowledgement() -> None:
    """Known to the last second of the window, forgotten after it; asking does not make it longer."""
    clock = ManualClock()
    duplicates = _duplicates(clock)
    duplicates.add([_digest(1)], number=7)
    clock.advance(60)
    assert duplicates.find(_digest(1)) == 7
    clock.advance(0.001)
    assert duplicates.find(_digest(1)) is None
    assert duplicates.of_segment(7) == []


def test_past_the_bound_the_oldest_is_forgotten_and_counted() -> None:
    """Memory is bounded: a new digest pushes the oldest out."""
    duplicates = _duplicates(ManualClock(), count_max=2)
    assert duplicates.add([_digest(1), _digest(2)], number=1) == 0
    assert duplicates.add([_digest(3)], number=2) == 1
    assert [duplicates.find(_digest(number)) for number in (1, 2, 3)] == [None, 1, 2]
    assert [entry.digest for entry in duplicates.of_segment(1)] == [_digest(2)]


def test_adding_twice_keeps_the_first_time() -> None:
    """The window runs from the first acknowledgement."""
    clock = ManualClock()
    duplicates = _duplicates(clock)
    duplicates.add([_digest(1)], number=1)
    clock.advance(40)
    duplicates.add([_digest(1)], number=2)
    clock.advance(21)
    assert duplicates.find(_digest(1)) is None


def test_what_is_remembered_survives_a_restart_with_its_age() -> None:
    """Restored digests go on ageing where they were."""
    clock = ManualClock()
    before = _duplicates(clock)
    before.add([_digest(1)], number=1)
    clock.advance(30)
    before.add([_digest(2)], number=2)
    saved = before.all()
    later = ManualClock(now_ns=clock.now_ns() + 20 * 10**9, monotonic_s=5)
    after = _duplicates(later)
    after.restore(reversed(saved))
    assert (after.find(_digest(1)), after.find(_digest(2))) == (1, 2)
    later.advance(11)
    assert (after.find(_digest(1)), after.find(_digest(2))) == (None, 2)


def test_too_old_digests_are_not_restored() -> None:
    """What is past its window when the process starts is not known."""
    clock = ManualClock()
    duplicates = _duplicates(clock)
    duplicates.restore([Acknowledged(_digest(1), 1, clock.now_ns() - 61 * 10**9)])
    assert duplicates.all() == []


def test_a_time_in_the_future_counts_as_now() -> None:
    """When the wall clock went back, a digest is known rather too long than too short."""
    clock = ManualClock()
    duplicates = _duplicates(clock)
    duplicates.restore([Acknowledged(_digest(1), 1, clock.now_ns() + 3600 * 10**9)])
    clock.advance(59)
    assert duplicates.find(_digest(1)) == 1
    clock.advance(2)
    assert duplicates.find(_digest(1)) is None


def test_a_segment_has_its_own_digests() -> None:
    """What is written down at a segment's release are its digests, with their times."""
    clock = ManualClock()
    duplicates = _duplicates(clock)
    duplicates.add([_digest(1)], number=1)
    clock.advance(1)
    duplicates.add([_digest(2), _digest(3)], number=2)
    entries = duplicates.of_segment(2)
    assert entries == [Acknowledged(_digest(number), 2, clock.now_ns()) for number in (2, 3)]
