import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.query.error_correlation.correlation import Asked, requests_of
from homeostat_server.query.error_correlation.harm import find_harm
from homeostat_server.query.error_correlation.sampling import Share
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.window import Window
from tests.property.query.test_comparison import Seen, table_of, worlds

WINDOW = Window(0, 1_000)
SLOW_NS = st.none() | st.integers(0, 60)
MODES = st.sampled_from([(True, True), (True, False), (False, True)])
"""Whether errors are harm, and whether slowness is."""


@settings(max_examples=150, deadline=None)
@given(world=worlds(), slow_ns=SLOW_NS, modes=MODES)
def test_blame_adds_up_to_what_a_request_weighs(
    world: list[Seen], slow_ns: int | None, modes: tuple[bool, bool]
) -> None:
    """A failing request weighs one, none more than that and a handled error; no span has less than nothing."""
    with_errors, with_slowness = modes
    requests = requests_of(Forest.of(table_of(world)), Asked(window=WINDOW, baseline=None), Share())
    harm = find_harm(requests, with_errors=with_errors, with_slowness=with_slowness, slow_ns=slow_ns)
    assert (harm.blame >= 0).all()
    weight = np.bincount(requests.forest.trace, harm.blame, len(requests.root))
    assert weight[harm.is_failing] == pytest.approx(np.ones(harm.is_failing.sum()))
    assert (weight <= 1.2 + 1e-9).all()
    if slow_ns is not None and with_slowness:
        delays = np.bincount(requests.forest.trace, harm.delays, len(requests.root))
        assert delays[harm.is_slow] == pytest.approx(np.ones(harm.is_slow.sum()))
    if not with_errors:
        assert not harm.errors.any()
    if not with_slowness:
        assert not harm.delays.any()


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_errors_begin_where_no_child_fails(world: list[Seen]) -> None:
    """As a walk over a plain list of spans finds it."""
    requests = requests_of(Forest.of(table_of(world)), Asked(window=WINDOW, baseline=None), Share())
    harm = find_harm(requests, with_errors=True, with_slowness=True, slow_ns=None)
    numbers: dict[int, list[Seen]] = {}
    for seen in world:
        numbers.setdefault(seen.trace, []).append(seen)
    origins = [
        seen
        for spans in numbers.values()
        for number, seen in enumerate(spans)
        if seen.is_error and not any(other.is_error and other.parent == number for other in spans)
    ]
    assert int(harm.origin.sum()) == len(origins)
    failing = {trace for trace, spans in numbers.items() if spans[0].is_error}
    assert int(harm.is_failing.sum()) == len(failing)
