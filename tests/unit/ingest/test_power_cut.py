"""The proof that nothing acknowledged is lost or doubled: power cuts, kills and errors at every operation."""

import copy
import errno
from collections.abc import Callable, Iterator

import pytest

from homeostat_server.ingest.testing import Fate, PowerCut, Row, SimulatedDisk
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.testing import ManualClock
from tests.unit.ingest.spool_world import ACME, GLOBEX, Senders, World

RANDOM_STATES = 4
POISON = b"poison"


def _body(number: int) -> bytes:
    return b"request %d " % number * (1 + number % 7)


def _new_world(disk: SimulatedDisk, clock: ManualClock, rows: list[Row]) -> World:
    world = World(disk, clock=clock, rows=rows)
    world.store.refuses = lambda body: body.startswith(POISON)
    return world


class Run:
    """One process after another on the same disk, with the same senders, until the power is cut or all is done."""

    def __init__(self, disk: SimulatedDisk) -> None:
        """Begin with an empty store."""
        self.disk = disk
        self.clock = ManualClock()
        self.senders = Senders()
        self.rows: list[Row] = []
        self.world: World | None = None

    def start(self) -> World:
        """Start the next process."""
        self.keep_rows()
        self.world = _new_world(self.disk, self.clock, self.rows)
        return self.world.recovered()

    def keep_rows(self) -> None:
        """Take over what the process stored."""
        if self.world is not None:
            self.rows = self.world.store.rows

    def send(self, world: World, *numbers: int) -> None:
        """Send requests of two tenants without writing them yet."""
        for number in numbers:
            self.senders.send(world.spool, (ACME, GLOBEX)[number % 2], _body(number))

    def work(self) -> None:
        """Write groups, store while more is written, fill a segment, meet a bad record, stop, start, go on."""
        world = self.start()
        self.send(world, 1, 2, 3)
        world.write()
        world.commit()
        self.send(world, 4)
        world.write()
        self.send(world, 5, 4, 1, 5)
        world.write()
        self.send(world, *range(6, 20))
        world.write()
        world.commit()
        self.senders.send(world.spool, ACME, POISON)
        self.send(world, 20, 21, 22)
        world.write()
        world.spool.close()
        self.keep_rows()
        world = self.start()
        world.commit()
        self.send(world, 23, 2, 22)
        world.write()
        world.settle()
        self.keep_rows()

    def until_cut(self, operation: int) -> bool:
        """Work with the power cut at an operation; say whether it came to that."""
        self.disk.cut_at = operation
        try:
            self.work()
        except PowerCut:
            self.keep_rows()
            return True
        return False


def _operations() -> int:
    run = Run(SimulatedDisk())
    run.work()
    return run.disk.operations


OPERATIONS = _operations()


def _cut_runs() -> Iterator[tuple[int, Run]]:
    for operation in range(1, OPERATIONS + 1):
        run = Run(SimulatedDisk())
        assert run.until_cut(operation)
        yield operation, run


def _next_run(run: Run, disk: SimulatedDisk, *, clock_jump_s: float = 1.0) -> Run:
    """Return a run that goes on with what was stored and sent, on another disk."""
    following = Run(disk)
    following.clock = ManualClock(now_ns=run.clock.now_ns() + round(clock_jump_s * 1e9))
    following.rows = list(run.rows)
    following.senders = Senders({sent: list(answers) for sent, answers in run.senders.answers.items()})
    return following


def _send_all_again(run: Run, world: World) -> None:
    for tenant, body in list(run.senders.answers):
        run.senders.send(world.spool, tenant, body)
    world.write()


def _check(run: Run, world: World | None, *, all_of: set[tuple[Tenant, bytes]], where: str) -> None:
    """Check that what is stored is each of these once, nothing twice, and nothing that was not sent."""
    assert world is not None
    stored = world.stored()
    good = {sent for sent in all_of if not sent[1].startswith(POISON)}
    assert {sent: stored[sent] for sent in good} == dict.fromkeys(good, 1), where
    assert max(stored.values(), default=1) == 1, where
    assert set(stored) <= set(run.senders.answers), where


def test_the_workload_reaches_every_kind_of_operation() -> None:
    """The workload that is cut writes, seals, stores, releases, splits, sets aside and recovers."""
    kinds: set[str] = set()
    disk = SimulatedDisk()
    disk.fail(lambda _operation, kind: kinds.add(kind))
    Run(disk).work()
    assert kinds == {"make_folder", "create", "write", "sync", "sync_folder", "rename", "unlink", "insert", "refresh"}


def test_a_power_cut_at_any_operation_loses_and_doubles_nothing() -> None:
    """After a cut anywhere, whatever of the unsynced bytes is on disk, each acknowledged request is stored once."""
    for operation, run in _cut_runs():
        for name, disk in run.disk.crash_states(random_states=RANDOM_STATES, seed=operation):
            after = _next_run(run, disk)
            world = after.start()
            world.settle()
            _check(after, world, all_of=run.senders.acknowledged(), where=f"cut at {operation}, {name}")


@pytest.mark.parametrize("clock_jump_s", [1.0, -3600.0])
def test_requests_sent_again_after_a_power_cut_are_stored_once(clock_jump_s: float) -> None:
    """Senders that repeat everything after a cut find each request stored once, also when the clock went back."""
    for operation, run in _cut_runs():
        for name, disk in run.disk.crash_states(random_states=RANDOM_STATES, seed=operation):
            after = _next_run(run, disk, clock_jump_s=clock_jump_s)
            world = after.start()
            _send_all_again(after, world)
            world.settle()
            _check(after, world, all_of=set(after.senders.answers), where=f"cut at {operation}, {name}")


def test_a_second_power_cut_during_recovery_loses_and_doubles_nothing() -> None:
    """A cut at any operation of the recovery from a cut, and of the work after it, changes nothing either."""
    for operation, run in _cut_runs():
        for name, disk in [*run.disk.crash_states(random_states=1, seed=operation), ("killed", _killed(run))]:
            for second in _cut_points(run, disk):
                _check_second_cut(run, copy.deepcopy(disk), second, where=f"cut at {operation}, {name}, then {second}")


def _killed(run: Run) -> SimulatedDisk:
    """Return the disk as a killed process leaves it: what is not synced is still there, and still not synced."""
    disk = copy.deepcopy(run.disk)
    disk.cut_at = None
    disk.operations = 0
    return disk


def _cut_points(run: Run, disk: SimulatedDisk) -> range:
    after = _next_run(run, copy.deepcopy(disk))
    _go_on(after)
    # Every seventh, beginning elsewhere each time: together they meet every operation many times over.
    return range(1 + run.disk.operations % 7, after.disk.operations + 1, 7)


def _check_second_cut(run: Run, disk: SimulatedDisk, cut_at: int, *, where: str) -> None:
    after = _next_run(run, disk)
    after.disk.cut_at = cut_at
    with pytest.raises(PowerCut):
        _go_on(after)
    after.keep_rows()
    for fate in (Fate.LOST, Fate.RANDOM):
        last = _next_run(after, disk.after_power_cut(fate, seed=cut_at))
        world = last.start()
        _send_all_again(last, world)
        world.settle()
        _check(last, world, all_of=set(last.senders.answers), where=f"{where}, {fate}")


def _go_on(run: Run) -> None:
    world = run.start()
    _send_all_again(run, world)
    world.settle()


@pytest.mark.parametrize("log_fails", [False, True])
def test_what_is_answered_after_a_kill_survives_a_power_cut(*, log_fails: bool) -> None:
    """A kill leaves bytes that no disk has yet; a retry that is answered because of them is not lost in a power cut."""
    for operation, run in _cut_runs():
        after = _next_run(run, _killed(run))
        after.disk.fail(lambda _operation, kind: errno.ENOSPC if log_fails and kind == "create" else None)
        world = after.start()
        after.disk.fail(lambda _operation, _kind: None)
        _send_all_again(after, world)
        after.keep_rows()
        for fate in (Fate.LOST, Fate.RANDOM):
            last = _next_run(after, after.disk.after_power_cut(fate, seed=operation))
            world = last.start()
            world.settle()
            _check(last, world, all_of=after.senders.acknowledged(), where=f"killed at {operation}, {fate}")


Failing = Callable[[int, str], int | None]


def _once(operation: int, number: int) -> Failing:
    return lambda current, _kind: number if current == operation else None


def _for_a_while(operation: int, number: int, *, operations: int = 12) -> Failing:
    return lambda current, _kind: number if operation <= current < operation + operations else None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("failing", [_once, _for_a_while])
def test_an_error_at_any_operation_loses_and_doubles_nothing(
    number: int, failing: Callable[[int, int], Failing]
) -> None:
    """Whatever fails, once or for a while: who was told so sends again, and in the end each request is stored once."""
    for operation in range(_first_operation_after_start(), OPERATIONS + 1):
        run = Run(SimulatedDisk())
        world = run.start()
        run.disk.fail(failing(operation, number))
        for first in range(1, 25, 4):
            run.send(world, *range(first, first + 4))
            world.write()
            world.commit()
        world.settle()
        for _ in range(20):
            _send_all_again(run, world)
        world.settle()
        _check(run, world, all_of=set(run.senders.answers), where=f"failed at {operation}")


def _first_operation_after_start() -> int:
    run = Run(SimulatedDisk())
    run.start()
    return run.disk.operations + 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("failures", [1, 4])
def test_a_power_cut_after_an_error_loses_and_doubles_nothing(number: int, failures: int) -> None:
    """A failed record that was sent again does not come back from the tail of the file it failed in."""
    for operation in range(_first_operation_after_start(), 64):
        for distance in range(failures, failures + 24, 2):
            run = Run(SimulatedDisk())
            run.disk.fail(_for_a_while(operation, number, operations=failures))
            run.disk.cut_at = operation + distance
            with pytest.raises(PowerCut):
                _send_until_cut(run)
            run.keep_rows()
            for name, disk in run.disk.crash_states(random_states=3, seed=operation):
                after = _next_run(run, disk)
                _go_on(after)
                where = f"error {number} at {operation}, cut {distance} later, {name}"
                _check(after, after.world, all_of=set(after.senders.answers), where=where)


def _send_until_cut(run: Run) -> None:
    """Write several groups to a segment, repeat what failed, have segments split, until the power is cut."""
    world = run.start()
    for first in range(1, 200, 2):
        run.send(world, first, first + 1)
        if first % 3 == 0:
            run.senders.send(world.spool, ACME, POISON)
        world.write()
        _send_all_again(run, world)
        if first % 4 == 1:
            world.commit()
            world.clock.advance(0.2)
