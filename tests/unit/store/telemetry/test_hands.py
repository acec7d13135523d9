import threading
from typing import cast

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.store.telemetry.hands import Hands
from homeostat_server.store.telemetry.session import Session


class Meeting:
    """Stand for a session whose statements end only when as many others run at the same time."""

    def __init__(self, together: threading.Barrier, ran: list[str]) -> None:
        """Wait for each other at a barrier and note what ran."""
        self._together = together
        self._ran = ran

    def execute(self, sql: str) -> None:
        """Run a statement; one that is named so fails."""
        self._together.wait(timeout=30)
        self._ran.append(sql)
        if sql == "fail":
            raise StoreUnavailable("run a statement")


def sessions(count: int) -> tuple[list[Session], list[str]]:
    """Return sessions that run at once only, and where their statements are noted."""
    ran: list[str] = []
    together = threading.Barrier(count)
    return [cast("Session", Meeting(together, ran)) for _ in range(count)], ran


def test_statements_run_at_once_and_each_once() -> None:
    """Two hands run four statements two at a time, and all are done when the call returns."""
    hands = Hands(threads=1)
    both, ran = sessions(2)
    hands.share(["a", "b", "c", "d"], both)
    hands.close()
    assert sorted(ran) == ["a", "b", "c", "d"]


def test_one_session_runs_all_in_their_order() -> None:
    """Without another hand the caller does it all."""
    hands = Hands(threads=0)
    alone, ran = sessions(1)
    hands.share(["a", "b", "c"], alone)
    hands.close()
    assert ran == ["a", "b", "c"]


@pytest.mark.parametrize("statements", [["fail", "b"], ["a", "fail"]])
def test_a_failure_in_either_hand_is_raised_when_none_runs_any_more(statements: list[str]) -> None:
    """What was begun beside it has ended."""
    hands = Hands(threads=1)
    both, ran = sessions(2)
    with pytest.raises(StoreUnavailable):
        hands.share(statements, both)
    hands.close()
    assert sorted(ran) == sorted(statements)


def test_after_a_failure_nothing_more_is_begun() -> None:
    """The segment will be inserted again as a whole."""
    hands = Hands(threads=0)
    alone, ran = sessions(1)
    with pytest.raises(StoreUnavailable):
        hands.share(["a", "fail", "c"], alone)
    hands.close()
    assert ran == ["a", "fail"]
