import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import TraceState

from homeostat.sampling.weights import (
    RANDOMNESS_MASK,
    THRESHOLD_NEVER,
    is_consistent,
    ratio_of,
    sampling_state,
    single,
    threshold_of,
    threshold_text,
    weight,
    with_threshold,
)

THRESHOLDS = st.integers(0, RANDOMNESS_MASK)
MEMBERS = st.dictionaries(
    st.from_regex(r"[a-z][_0-9a-z]{0,8}", fullmatch=True),
    st.from_regex(r"[!-+\--<>-~]{1,12}", fullmatch=True),
    max_size=32,
)


@given(st.floats(0.0, 1.0, exclude_min=True), st.integers(1, 14))
def test_a_threshold_keeps_the_ratio_that_was_asked_for(ratio: float, digits: int) -> None:
    """To as many hexadecimal digits as were asked for, and to at least one part in 2^56."""
    kept = ratio_of(threshold_of(ratio, digits=digits))
    assert 0.0 < kept <= 1.0
    assert kept == pytest.approx(ratio, abs=2.0**-56, rel=16.0 ** (1 - digits))


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_greater_ratio_keeps_at_least_the_same_traces(one: float, other: float) -> None:
    """Decisions are consistent: who keeps more keeps all that the other keeps."""
    small, great = sorted((one, other))
    assert threshold_of(great) <= threshold_of(small) <= THRESHOLD_NEVER


@given(THRESHOLDS)
def test_a_threshold_is_read_as_it_was_written(threshold: int) -> None:
    """Zeros at the end are left out and come back."""
    text = threshold_text(threshold)
    assert text == "0" or not text.endswith("0")
    assert sampling_state(single(threshold)).threshold == threshold
    assert weight(single(threshold)) == pytest.approx(2**56 / (2**56 - threshold))


@given(MEMBERS, THRESHOLDS, THRESHOLDS)
def test_setting_a_threshold_changes_nothing_else(members: dict[str, str], threshold: int, randomness: int) -> None:
    """Other members keep their values and order, explicit randomness stays; at most the last one gives way."""
    others = {key: value for key, value in members.items() if key != "ot"}
    before = TraceState([*others.items(), ("ot", f"rv:{randomness:014x}")][-32:])
    after = with_threshold(before, threshold)
    kept = [pair for pair in before.items() if pair[0] != "ot"][:31]
    assert list(after.items())[1:] == kept
    said = sampling_state(after)
    assert (said.threshold, said.randomness) == (threshold, randomness)
    assert TraceState.from_header([after.to_header()]).to_header() == after.to_header()
    assert sampling_state(with_threshold(after, None)).threshold is None


@given(st.text(max_size=300))
def test_whatever_a_member_says_it_can_be_read(text: str) -> None:
    """Malformed means not said; nothing raises."""
    state = TraceState()
    state._dict["ot"] = text
    said = sampling_state(state)
    assert said.threshold is None or 0 <= said.threshold < THRESHOLD_NEVER
    assert said.randomness is None or 0 <= said.randomness < THRESHOLD_NEVER
    is_consistent(state, 1, is_sampled=True)
