import pytest
from opentelemetry.trace import TraceState

from homeostat.sampling.weights import (
    THRESHOLD_NEVER,
    is_consistent,
    sampling_state,
    threshold_of,
    threshold_text,
    weight,
    with_threshold,
)


@pytest.mark.parametrize(
    ("one_in", "written"),
    [
        (1, ("0", "0", "0")),
        (2, ("8", "8", "8")),
        (3, ("aab", "aaab", "aaaab")),
        (4, ("c", "c", "c")),
        (5, ("ccd", "cccd", "ccccd")),
        (8, ("e", "e", "e")),
        (10, ("e66", "e666", "e6666")),
        (16, ("f", "f", "f")),
        (100, ("fd71", "fd70a", "fd70a4")),
        (1_000, ("ffbe7", "ffbe77", "ffbe76d")),
        (10_000, ("fff972", "fff9724", "fff97247")),
        (100_000, ("ffff584", "ffff583a", "ffff583a5")),
        (1_000_000, ("ffffef4", "ffffef39", "ffffef391")),
    ],
)
def test_thresholds_are_those_of_the_specification(one_in: int, written: tuple[str, str, str]) -> None:
    """Its table of ratios one in N, with three, four and five digits."""
    assert tuple(threshold_text(threshold_of(1 / one_in, digits=digits)) for digits in (3, 4, 5)) == written


def test_a_ratio_above_zero_is_never_never() -> None:
    """However small it is, something can be kept, and its weight is finite."""
    assert threshold_of(0.0) == THRESHOLD_NEVER
    assert threshold_of(1e-300) == THRESHOLD_NEVER - 1
    assert threshold_text(THRESHOLD_NEVER - 1) == "f" * 14


@pytest.mark.parametrize(
    ("state", "expected"), [("ot=th:0", 1.0), ("ot=th:8", 2.0), ("ot=rv:00000000000001;th:c", 4.0)]
)
def test_the_weight_is_how_many_a_span_stands_for(state: str, expected: float) -> None:
    """One in two that are kept stands for two."""
    assert weight(TraceState.from_header([state])) == expected


@pytest.mark.parametrize("state", ["", "other=th:0", "ot=rv:00000000000001", "ot=th:", "ot=th:F", "ot=th:" + "0" * 15])
def test_a_weight_that_is_not_told_is_unknown(state: str) -> None:
    """It is not taken for 1: nobody knows how many such a span stands for."""
    assert weight(TraceState.from_header([state])) is None
    assert weight(None) is None


def test_what_else_a_tracestate_says_stays() -> None:
    """Other vendors, explicit randomness and unknown parts are kept; the changed member comes first."""
    before = TraceState.from_header(["a=1,ot=p:8;th:c;rv:0000000000000f,b=2"])
    assert with_threshold(before, 0).to_header() == "ot=th:0;rv:0000000000000f;p:8,a=1,b=2"
    assert with_threshold(before, None).to_header() == "ot=rv:0000000000000f;p:8,a=1,b=2"


def test_a_member_without_anything_to_say_is_not_written() -> None:
    """The list is then as if sampling had never been in it."""
    assert with_threshold(TraceState.from_header(["ot=th:8,a=1"]), None).to_header() == "a=1"
    assert with_threshold(None, None).to_header() == ""
    assert with_threshold(None, 0).to_header() == "ot=th:0"


def test_a_full_list_gives_up_its_last_member() -> None:
    """W3C allows 32 members, and says which one goes."""
    full = TraceState([(f"k{number}", "v") for number in range(32)])
    changed = with_threshold(full, 0)
    assert len(changed) == 32
    assert changed["ot"] == "th:0"
    assert "k31" not in changed


def test_a_member_that_would_be_too_long_says_no_threshold() -> None:
    """256 characters are allowed; what others wrote there is not ours to cut."""
    written = "p:" + "1" * 253
    assert with_threshold(TraceState([("ot", written)]), 0)["ot"] == written


def test_a_member_that_is_too_long_is_not_read() -> None:
    """A list that breaks the limit says nothing about sampling."""
    state = TraceState()
    state._dict["ot"] = "th:8;p:" + "1" * 256
    assert sampling_state(state).threshold is None


@pytest.mark.parametrize(
    ("state", "sampled", "agrees"),
    [
        ("ot=th:8", True, False),
        ("ot=th:8", False, True),
        ("ot=th:8;rv:80000000000000", True, True),
        ("ot=th:8;rv:80000000000000", False, False),
        ("ot=th:8;rv:short", True, False),
        ("other=1", True, True),
    ],
)
def test_a_threshold_has_to_agree_with_the_flag(state: str, *, sampled: bool, agrees: bool) -> None:
    """Explicit randomness counts before the trace id, whose last 56 bits are all zero here."""
    assert is_consistent(TraceState.from_header([state]), 1 << 100, is_sampled=sampled) is agrees
