from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import TIME_NS_MAX, format_time, parse_duration, parse_time

NOW_S = 1_767_225_600


@pytest.mark.parametrize(
    "text",
    [
        "1767225600",
        "1767225600.0",
        "1767225600000",
        "1767225600000000",
        "1767225600000000000",
        "2026-01-01T00:00:00Z",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T02:00:00 02:00",
        "2025-12-31T19:30:00.000000000-04:30",
    ],
)
def test_a_moment_may_be_written_in_many_ways(text: str) -> None:
    """RFC 3339 and epochs in any usual unit mean the same; a plus sign may have become a space on the way."""
    assert parse_time(text, name="start") == NOW_S * 10**9


def test_nanoseconds_are_kept() -> None:
    """No digit of a second is lost."""
    assert parse_time("2026-01-01T00:00:00.123456789Z", name="start") == NOW_S * 10**9 + 123_456_789
    assert parse_time("1767225600.5", name="start") == NOW_S * 10**9 + 500_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "-5",
        "1e9",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00+01:60",
        "1969-12-31T23:59:59Z",
        "2300-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999999999999999999",
        "١٧٦٧٢٢٥٦٠٠",
        "1" * 1_000,
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """The error names the parameter and says how to write it."""
    with pytest.raises(InvalidRequest, match=r"read start as a time.*RFC 3339"):
        parse_time(text, name="start")


@given(st.integers(0, TIME_NS_MAX))
def test_what_is_shown_is_read_back(moment_ns: int) -> None:
    """Every nanosecond that can be stored can be written and read."""
    assert parse_time(format_time(moment_ns), name="start") == moment_ns


@given(
    st.datetimes(datetime(1970, 1, 3), datetime(2200, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),  # noqa: DTZ001 - the offset is given apart
    st.integers(-14 * 60, 14 * 60),
)
def test_offsets_are_those_of_python(moment: datetime, minutes: int) -> None:
    """Another reader of RFC 3339 finds the same moment."""
    shown = moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat()
    expected = datetime.fromisoformat(shown).astimezone(UTC)
    assert parse_time(shown, name="start") == round(expected.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("1h30m", 5_400_000_000_000),
        ("2d", 172_800_000_000_000),
        ("7us", 7_000),
        ("7µs", 7_000),
        ("1.5ns", 1),
        ("0s", 0),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, duration_ns: int) -> None:
    """As Go and Prometheus write them."""
    assert parse_duration(text, name="min_duration") == duration_ns


@pytest.mark.parametrize("text", ["", "5", "ms", "-1s", "1 s", "1s!", "!1s", "1s5", "300y", "9" * 19 + "d", "1s" * 100])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The error names the parameter and says how to write it."""
    with pytest.raises(InvalidRequest, match=r"read min_duration as a duration.*250ms"):
        parse_duration(text, name="min_duration")
