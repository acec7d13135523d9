from threading import Event, Thread

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.telemetry.readers import ReaderPool
from homeostat_server.store.telemetry.session import Session

ONE, TWO, THREE = Tenant("one"), Tenant("two"), Tenant("three")


class FakeSession(Session):
    """Know who it belongs to and whether it is closed."""

    def __init__(self, tenant: Tenant) -> None:
        """Open."""
        self.tenant = tenant
        self.is_closed = False

    def close(self) -> None:
        """Close."""
        self.is_closed = True


class Opening:
    """Open fake sessions and keep them."""

    def __init__(self) -> None:
        """Begin without any."""
        self.opened: list[FakeSession] = []
        self.fails = False

    def __call__(self, tenant: Tenant) -> Session:
        """Open one."""
        if self.fails:
            raise StoreUnavailable("open a session")
        self.opened.append(FakeSession(tenant))
        return self.opened[-1]

    @property
    def still_open(self) -> list[Tenant]:
        """Return whose sessions are open."""
        return [session.tenant for session in self.opened if not session.is_closed]


@pytest.fixture
def opening() -> Opening:
    """Return what opens sessions."""
    return Opening()


@pytest.fixture
def pool(opening: Opening) -> ReaderPool:
    """Return a pool of two that does not wait."""
    return ReaderPool(opening, sessions_max=2, wait_s=0.01)


def ask(pool: ReaderPool, tenant: Tenant) -> None:
    """Take a session and give it back."""
    with pool.session(tenant):
        pass


def test_a_session_is_used_again_by_its_tenant_only(pool: ReaderPool, opening: Opening) -> None:
    """Whoever comes next gets one of their own."""
    for tenant in (ONE, TWO, ONE, TWO):
        with pool.session(tenant) as session:
            assert isinstance(session, FakeSession)
            assert session.tenant == tenant
    assert [session.tenant for session in opening.opened] == [ONE, TWO]


def test_the_longest_idle_session_is_closed(pool: ReaderPool, opening: Opening) -> None:
    """As many as may run may be idle."""
    for tenant in (ONE, TWO, THREE):
        ask(pool, tenant)
    assert opening.still_open == [TWO, THREE]


def test_a_turn_is_refused_when_all_are_taken(pool: ReaderPool) -> None:
    """After the waiting time; a later one finds a turn again."""
    with pool.session(ONE), pool.session(ONE), pytest.raises(StoreUnavailable, match="2 are running"):
        ask(pool, TWO)
    ask(pool, TWO)


def test_failures_do_not_use_up_turns(pool: ReaderPool, opening: Opening) -> None:
    """Neither one of the question nor one to open a session; the session of the first is kept."""
    for _ in range(3):
        with pytest.raises(ValueError, match="question"), pool.session(ONE):
            raise ValueError("question")
    opening.fails = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            ask(pool, TWO)
    ask(pool, ONE)
    assert len(opening.opened) == 1


def test_a_closed_pool_lends_nothing_and_holds_nothing(pool: ReaderPool, opening: Opening) -> None:
    """All sessions are closed with it."""
    ask(pool, ONE)
    ask(pool, TWO)
    pool.close()
    assert opening.still_open == []
    with pytest.raises(StoreUnavailable, match="closed"):
        ask(pool, ONE)
    pool.close()


def test_close_waits_for_what_is_lent(pool: ReaderPool, opening: Opening) -> None:
    """A question that runs keeps its session until it ends; one that comes meanwhile is refused."""
    lent, go = Event(), Event()

    def question() -> None:
        with pool.session(ONE):
            lent.set()
            go.wait()

    asking, closing = Thread(target=question), Thread(target=pool.close)
    asking.start()
    lent.wait()
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    with pytest.raises(StoreUnavailable):
        ask(pool, TWO)
    assert opening.still_open == [ONE]
    go.set()
    closing.join()
    asking.join()
    assert opening.still_open == []
