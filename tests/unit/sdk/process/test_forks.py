import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from homeostat.process.forks import ForkHooks, ForkWatch


def watch(done: list[str]) -> ForkWatch:
    """Return one that writes down what it calls."""

    def tell(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    return ForkWatch(
        ForkHooks(before=tell("before"), in_parent=tell("parent"), in_child=tell("child"), at_exit=tell("exit"))
    )


def test_hooks_are_called_around_a_fork_until_it_is_told_to_stop() -> None:
    """Before and after in the parent, and in the child, each once."""
    done: list[str] = []
    watching = watch(done)
    watching.start()
    pid = os.fork()
    if pid == 0:
        os._exit(int(done != ["before", "child"]))
    assert os.waitpid(pid, 0)[1] == 0
    assert done == ["before", "parent"]
    watching.stop()
    pid = os.fork()
    if pid == 0:
        os._exit(int(done != ["before", "parent"]))
    assert os.waitpid(pid, 0)[1] == 0
    assert done == ["before", "parent"]


class Pool(ModuleType):
    """Stand for `multiprocessing.util`: it calls after a fork, and has finalizers."""

    def __init__(self) -> None:
        """Begin with nobody."""
        super().__init__("pool")
        self.after: list[tuple[object, Callable[[Any], None]]] = []
        self.finalizers: list[tuple[Callable[[], None], int]] = []

    def register_after_fork(self, owner: object, call: Callable[[Any], None]) -> None:
        """Remember who wants to be called in a child."""
        self.after.append((owner, call))

    def Finalize(self, _: object, call: Callable[[], None], *, exitpriority: int) -> None:  # noqa: N802 - its name
        """Remember who wants to be called at the end."""
        self.finalizers.append((call, exitpriority))


class Signal:
    """Stand for a signal of Celery."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.receivers: list[Callable[..., None]] = []

    def connect(self, receiver: Callable[..., None], *, weak: bool) -> None:
        """Remember a receiver."""
        assert not weak
        self.receivers.append(receiver)


def test_children_that_leave_early_are_followed_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools are joined once, when they are there; our finalizer comes last; Celery says the end by a signal."""
    pool, celery, signal = Pool(), ModuleType("celery.signals"), Signal()
    celery.worker_process_shutdown = signal  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "multiprocessing.util", pool)
    monkeypatch.setitem(sys.modules, "celery.signals", celery)
    done: list[str] = []
    watching = watch(done)
    watching._join_pools()
    watching._join_pools()
    ((owner, call),) = pool.after
    call(owner)
    ((finalizer, priority),) = pool.finalizers
    assert priority < -100
    finalizer()
    (receiver,) = signal.receivers
    receiver(pid=1, exitcode=0)
    assert done == ["exit", "exit"]
    watching.stop()
    call(owner)
    receiver()
    assert len(pool.finalizers) == 1
    assert done == ["exit", "exit"]


def test_a_hook_of_the_program_with_uwsgi_is_called_after_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the child draws other random numbers than its siblings."""
    uwsgi, done = ModuleType("uwsgi"), list[str]()
    uwsgi.post_fork_hook = lambda: done.append("program")  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    watching = watch(done)
    watching.start()
    uwsgi.post_fork_hook()
    assert done == ["child", "program"]
    watching.stop()


def test_uwsgi_without_a_hook_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours alone is called."""
    uwsgi, done = ModuleType("uwsgi"), list[str]()
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    watching = watch(done)
    watching.start()
    uwsgi.post_fork_hook()
    assert done == ["child"]
    watching.stop()
