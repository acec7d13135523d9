"""Random histories of the spool: whatever happens in whatever order, each request ends up stored once."""

import errno

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.exceptions import DataFolderUnusable
from homeostat_server.ingest.testing import Fate, PowerCut, Row, SimulatedDisk
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.testing import ManualClock
from tests.unit.ingest.spool_world import ACME, GLOBEX, Senders, World

POISON = b"poison"
ERRNOS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT]

REQUESTS = st.tuples(
    st.sampled_from([ACME, GLOBEX]),
    st.one_of(
        st.integers(0, 12).map(lambda number: b"request %d " % number * (1 + number * 3)),
        st.integers(0, 2).map(lambda number: b"%b %d" % (POISON, number)),
    ),
)
ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.lists(REQUESTS, min_size=1, max_size=5)),
    st.tuples(st.just("write"), st.none()),
    st.tuples(st.just("commit"), st.integers(1, 4)),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("fail"), st.tuples(st.integers(1, 6), st.integers(1, 5), st.sampled_from(ERRNOS))),
    st.tuples(st.just("cut"), st.tuples(st.integers(1, 25), st.sampled_from(Fate), st.integers(0, 1000))),
    st.tuples(st.just("clock"), st.sampled_from([-3600.0, 0.0, 0.5])),
)


class History:
    """Play actions on a disk, with a new process after each end of one."""

    def __init__(self) -> None:
        """Begin with an empty disk."""
        self.disk = SimulatedDisk()
        self.clock = ManualClock()
        self.senders = Senders()
        self.rows: list[Row] = []
        self.fate = (Fate.KEPT, 0)
        self.world: World | None = None

    def play(self, actions: list[tuple[str, object]]) -> None:
        """Play all actions; after a power cut go on with what is left of the disk."""
        for name, argument in actions:
            try:
                getattr(self, name)(argument)
            except PowerCut:
                self._power_up()

    def _power_up(self) -> None:
        self._end()
        fate, seed = self.fate
        self.disk = self.disk.after_power_cut(fate, seed=seed)

    def _end(self) -> None:
        if self.world is not None:
            self.rows = self.world.store.rows
            self.world = None

    def _running(self) -> World:
        """Return the process, starting one if there is none; a disk that fails lets it start in a later attempt."""
        while self.world is None:
            world = World(self.disk, clock=self.clock, rows=self.rows)
            world.store.refuses = lambda body: body.startswith(POISON)
            try:
                self.world = world.recovered()
            except DataFolderUnusable:
                continue
        return self.world

    def send(self, requests: list[tuple[Tenant, bytes]]) -> None:
        """Append without writing."""
        world = self._running()
        for tenant, body in requests:
            self.senders.send(world.spool, tenant, body)

    def write(self, _: object) -> None:
        """Write all that waits."""
        self._running().write()

    def commit(self, steps: int) -> None:
        """Take some steps of the committer."""
        world = self._running()
        self.clock.advance(0.05)
        for _ in range(steps):
            world.committer.step()

    def restart(self, _: object) -> None:
        """Stop in order."""
        self._running().spool.close()
        self._end()

    def kill(self, _: object) -> None:
        """Stop on the spot; the operating system keeps what was not synced."""
        self._end()

    def fail(self, failing: tuple[int, int, int]) -> None:
        """Let some of the next operations fail."""
        after, operations, number = failing
        first = self.disk.operations + after
        self.disk.fail(lambda current, _kind: number if first <= current < first + operations else None)

    def cut(self, cutting: tuple[int, Fate, int]) -> None:
        """Have the power cut at one of the next operations, and the disk keep something of what is not synced."""
        after, fate, seed = cutting
        self.disk.cut_at = self.disk.operations + after
        self.fate = (fate, seed)

    def clock_jump(self, seconds: float) -> None:
        """Let the wall clock jump."""
        self.clock.set_now_ns(self.clock.now_ns() + round(seconds * 1e9))

    def finish(self) -> World:
        """Send everything again, as senders do that got no answer, and store all."""
        self.disk.cut_at = None
        self.disk.fail(lambda _operation, _kind: None)
        world = self._running()
        self.send(list(self.senders.answers))
        world.settle()
        return world


def _check(actions: list[tuple[str, object]]) -> None:
    history = History()
    history.play([("clock_jump" if name == "clock" else name, argument) for name, argument in actions])
    acknowledged = history.senders.acknowledged()
    if history.world is not None:
        history.kill(None)
    stored = history.finish().stored()
    good = {sent for sent in history.senders.answers if not sent[1].startswith(POISON)}
    assert acknowledged <= set(history.senders.answers)
    assert {sent: stored[sent] for sent in good} == dict.fromkeys(good, 1)
    assert set(stored) == good


@given(st.lists(ACTIONS, max_size=30))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_request_is_stored_once_whatever_happens(actions: list[tuple[str, object]]) -> None:
    """Sends, writes, commits, restarts, kills, power cuts, errors and clock jumps lose and double nothing."""
    _check(actions)


@pytest.mark.prove
@given(st.lists(ACTIONS, min_size=10, max_size=80))
@settings(max_examples=30_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_request_is_stored_once_in_a_long_campaign(actions: list[tuple[str, object]]) -> None:
    """The same, for longer."""
    _check(actions)
