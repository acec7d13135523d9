import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.api.go_values import parse_boolean, parse_go_duration, parse_integer, parse_rfc_3339
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.jaeger.warnings import duration_text


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("0", 0),
        ("1.5s", 1_500_000_000),
        ("-1.5h", -5_400_000_000_000),
        ("1h15m30.918s", 4_530_918_000_000),
        ("+5us", 5_000),
        ("5µs", 5_000),
        (".5ms", 500_000),
        ("100ns", 100),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, duration_ns: int) -> None:
    """Signs, fractions and several units."""
    assert parse_go_duration(text) == duration_ns


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 'time: invalid duration ""'),
        ("3", 'time: missing unit in duration "3"'),
        ("long", 'time: invalid duration "long"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        (".s", 'time: invalid duration ".s"'),
        ("1.2.3s", 'time: missing unit in duration "1.2.3s"'),
        ("1s5", 'time: missing unit in duration "1s5"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_what_is_no_duration_is_told_in_gos_words(text: str, told: str) -> None:
    """People look for the message that they know."""
    with pytest.raises(InvalidRequest) as caught:
        parse_go_duration(text)
    assert str(caught.value) == told


@given(st.integers(-(2**62), 2**62))
def test_a_duration_that_is_written_can_be_read_back(duration_ns: int) -> None:
    """Whatever its length."""
    assert parse_go_duration(duration_text(duration_ns)) == duration_ns


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        assert isinstance(parse_go_duration(text), int)
    except InvalidRequest as error:
        assert str(error).startswith("time: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ("", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("9223372036854775808", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        ("9" * 5_000, f'strconv.ParseInt: parsing "{"9" * 100}": invalid syntax'),
    ],
)
def test_what_is_no_number_is_told_in_gos_words(text: str, told: str) -> None:
    """A long one is cut in the message."""
    with pytest.raises(InvalidRequest) as caught:
        parse_integer(text)
    assert str(caught.value) == told


def test_a_number_is_read_with_its_sign() -> None:
    """Up to 64 bits, or fewer when fewer are asked for."""
    assert parse_integer("-9223372036854775808") == -(2**63)
    with pytest.raises(InvalidRequest, match="out of range"):
        parse_integer("2147483648", bits=32)


def test_a_truth_value_is_one_of_gos() -> None:
    """And nothing that only looks like one."""
    assert [parse_boolean(text) for text in ("1", "t", "True", "0", "F", "false")] == [True] * 3 + [False] * 3
    with pytest.raises(InvalidRequest, match='parsing "yes": invalid syntax'):
        parse_boolean("yes")


@pytest.mark.parametrize("text", ["2026-13-01T00:00:00Z", "2026", "1767225600000000000", "", "now"])
def test_what_is_no_time_is_refused_with_the_layout(text: str) -> None:
    """Numbers are none here, however they are read elsewhere."""
    with pytest.raises(InvalidRequest, match="2006-01-02T15:04:05"):
        parse_rfc_3339(text)


def test_a_time_is_read_to_the_nanosecond() -> None:
    """With its offset."""
    assert parse_rfc_3339("2026-01-01T01:00:00.000000001+01:00") == 1_767_225_600_000_000_001
