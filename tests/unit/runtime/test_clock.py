import time

from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.testing import ManualClock


def test_the_system_clock_tells_unix_time_and_does_not_go_back() -> None:
    """Wall time is the operating system's, in nanoseconds; monotonic time only grows."""
    clock = SystemClock()
    assert abs(clock.now_ns() - time.time_ns()) < 60 * 10**9
    first = clock.monotonic_s()
    assert clock.monotonic_s() >= first


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    """Both times move by the same seconds, and only then."""
    clock = ManualClock(now_ns=1_000, monotonic_s=5.0)
    assert (clock.now_ns(), clock.monotonic_s()) == (1_000, 5.0)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.monotonic_s()) == (1_500_001_000, 6.5)


def test_a_manual_clock_can_jump_back_as_wall_clocks_do() -> None:
    """A jump of wall time leaves monotonic time alone."""
    clock = ManualClock(now_ns=1_000, monotonic_s=5.0)
    clock.set_now_ns(10)
    assert (clock.now_ns(), clock.monotonic_s()) == (10, 5.0)
