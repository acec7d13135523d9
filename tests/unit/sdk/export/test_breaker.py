from homeostat.export.breaker import Breaker, BreakerState


def breaker(**changes: float) -> Breaker:
    """Return one that opens after three failures and does not draw lots."""
    made = {"failures": 3, "delay_s": 1.0, "delay_max_s": 30.0} | changes
    return Breaker(
        failures=int(made["failures"]), delay_s=made["delay_s"], delay_max_s=made["delay_max_s"], random=lambda: 1.0
    )


def test_it_opens_after_some_failures_in_a_row() -> None:
    """A success in between begins the count again."""
    tried = breaker()
    tried.failed(0)
    tried.failed(0)
    assert tried.state(0) is BreakerState.CLOSED
    assert tried.wait_s(0) == 2
    tried.succeeded()
    assert tried.is_well
    assert tried.wait_s(0) == 0
    for _ in range(3):
        tried.failed(0)
    assert tried.state(0) is BreakerState.OPEN


def test_one_try_closes_it_or_opens_it_for_longer() -> None:
    """Half-open lets one through when its time has come."""
    tried = breaker()
    for _ in range(3):
        tried.failed(0)
    assert tried.wait_s(0) == 4
    assert tried.state(4) is BreakerState.HALF_OPEN
    tried.failed(4)
    assert tried.state(4) is BreakerState.OPEN
    assert tried.wait_s(4) == 8
    tried.succeeded()
    assert tried.state(4) is BreakerState.CLOSED


def test_waits_double_up_to_a_bound() -> None:
    """For ever, without growing numbers."""
    tried = breaker()
    waits = []
    for _ in range(2000):
        tried.failed(0)
        waits.append(tried.wait_s(0))
    assert waits[:6] == [1, 2, 4, 8, 16, 30]
    assert set(waits[5:]) == {30}


def test_waits_differ_between_processes() -> None:
    """Lots spread them over half of the time, so that not all return at once."""
    waits = []
    for lot in (0.0, 0.5, 1.0):
        tried = Breaker(failures=3, delay_s=10, delay_max_s=30, random=lambda lot=lot: lot)  # type: ignore[misc]
        tried.failed(0)
        waits.append(tried.wait_s(0))
    assert waits == [5, 7.5, 10]


def test_the_backend_may_ask_for_more_time_and_not_for_less() -> None:
    """Retry-After is a lower bound."""
    tried = breaker()
    tried.failed(0, retry_after_s=120)
    assert tried.wait_s(0) == 120
    tried.succeeded()
    tried.failed(0, retry_after_s=0)
    assert tried.wait_s(0) == 1
