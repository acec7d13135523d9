import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import TIME_NS_MAX
from homeostat_server.query.window import Window, parse_window

HOUR_NS = 3_600 * 10**9
NOW_NS = 1_767_225_600 * 10**9
DAY_NS = 24 * HOUR_NS


def test_a_window_is_the_last_hour_when_nobody_says() -> None:
    """What was stored in this very nanosecond is in it."""
    assert parse_window(None, None, now_ns=NOW_NS) == Window(NOW_NS + 1 - HOUR_NS, NOW_NS + 1)


def test_a_window_without_an_end_ends_now() -> None:
    """A start alone is enough."""
    assert parse_window("1767220000", None, now_ns=NOW_NS) == Window(1_767_220_000 * 10**9, NOW_NS + 1)


def test_a_window_without_a_start_is_an_hour_long() -> None:
    """An end alone is enough, also near the beginning of time."""
    assert parse_window(None, "1767225600", now_ns=0) == Window(NOW_NS - HOUR_NS, NOW_NS)
    assert parse_window(None, "60", now_ns=0) == Window(0, 60 * 10**9)


def test_a_window_knows_its_length_and_its_last_moment() -> None:
    """The end does not belong to it."""
    window = Window(NOW_NS, NOW_NS + 5 * 10**9)
    assert window.duration_s == 5
    assert window.parameters() == {"first_ns": NOW_NS, "last_ns": NOW_NS + 5 * 10**9 - 1}


def test_31_days_are_the_most() -> None:
    """A day more than the longest retention."""
    assert Window(NOW_NS, NOW_NS + 31 * DAY_NS).duration_s == 31 * 86_400
    with pytest.raises(InvalidRequest, match="at most 31 days"):
        Window(NOW_NS, NOW_NS + 31 * DAY_NS + 1)


@pytest.mark.parametrize(("start_ns", "end_ns"), [(5, 5), (6, 5), (-1, 5), (TIME_NS_MAX, TIME_NS_MAX + 1)])
def test_a_window_that_is_none_is_refused(start_ns: int, end_ns: int) -> None:
    """Empty, backwards, or out of what a time column holds."""
    with pytest.raises(InvalidRequest):
        Window(start_ns, end_ns)


def test_a_window_without_a_start_may_have_a_length() -> None:
    """Back from its end, as people write durations."""
    assert parse_window(None, "1767225600", length="5m", now_ns=0) == Window(NOW_NS - 300 * 10**9, NOW_NS)
    with pytest.raises(InvalidRequest, match="not both"):
        parse_window("1767220000", None, length="5m", now_ns=NOW_NS)
