"""Carries something over forks, and to the end of children that never reach the interpreter's.

Python's own hooks (`os.register_at_fork`) see every fork that Python makes. A child of `multiprocessing`, or of
`billiard`, which Celery uses, leaves by `os._exit`: exit handlers do not run there, finalizers of that library do, but
only those that were registered after the fork. A pool of Celery leaves before those, too, and sends a signal first.
uWSGI forks without Python's knowledge. The room knows nothing of what is carried.
"""

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from homeostat.process.imports import LATE_IMPORTS

_POOLS: Final = ("multiprocessing.util", "billiard.util")

_CELERY: Final = "celery.signals"

_LAST: Final = -1000
"""Priority of our finalizer: the program's own, which may still record something, go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkHooks:
    """Hold what is called around a fork, and at the end of a child that is a member of a pool."""

    before: Callable[[], None]
    in_parent: Callable[[], None]
    in_child: Callable[[], None]
    at_exit: Callable[[], None]


class ForkWatch:
    """Call hooks around each fork of this process and of its children, until it is told to stop.

    Hooks of Python cannot be taken back, so there is one watch a process, and `stop` makes it silent.
    """

    def __init__(self, hooks: ForkHooks) -> None:
        self._hooks: ForkHooks | None = hooks
        self._joined: set[str] = set()

    def start(self) -> None:
        """Begin to watch; where the system has no fork, do nothing."""
        if not hasattr(os, "register_at_fork"):
            return
        os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)
        self._join_pools()
        _join_uwsgi(self._in_child_of_uwsgi)

    def stop(self) -> None:
        """Call no hook any more."""
        self._hooks = None

    def _before(self) -> None:
        if self._hooks is not None:
            self._join_pools()
            LATE_IMPORTS.before_fork()
            self._hooks.before()

    def _in_parent(self) -> None:
        if self._hooks is not None:
            self._hooks.in_parent()
        LATE_IMPORTS.after_fork_in_parent()

    def _in_child(self) -> None:
        LATE_IMPORTS.after_fork_in_child()
        if self._hooks is not None:
            self._hooks.in_child()

    def _in_child_of_uwsgi(self) -> None:
        """Do what Python's hooks would have done.

        uWSGI calls them only with `py-call-osafterfork`; without it all its workers also draw the same numbers from
        `random`, which Python seeds anew in every child.
        """
        random.seed()
        self._in_child()

    def _join_pools(self) -> None:
        """Ask the libraries that are loaded by now to call us in their children, once each."""
        for name in _POOLS:
            module: Any = sys.modules.get(name)
            if module is not None and name not in self._joined:
                self._joined.add(name)
                _call_after_fork(module, self)
        signals: Any = sys.modules.get(_CELERY)
        if signals is not None and _CELERY not in self._joined:
            self._joined.add(_CELERY)
            signals.worker_process_shutdown.connect(self._at_exit, weak=False)

    def _at_exit(self, **_: object) -> None:
        if self._hooks is not None:
            self._hooks.at_exit()

    def finish_at_exit_of(self, module: ModuleType) -> None:
        """Register the end with the library whose child this process is."""
        if self._hooks is not None:
            module.Finalize(None, self._hooks.at_exit, exitpriority=_LAST)


def _call_after_fork(module: ModuleType, watch: ForkWatch) -> None:
    # The library keeps a weak reference to the first argument and calls the second with it.
    module.register_after_fork(watch, lambda found: found.finish_at_exit_of(module))


def _join_uwsgi(in_child: Callable[[], None]) -> None:
    """Put our hook before the one that the program has with uWSGI; `uwsgi` is a module only inside of it."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    previous = getattr(uwsgi, "post_fork_hook", None)

    def after_fork() -> None:
        in_child()
        if previous is not None:
            previous()

    uwsgi.post_fork_hook = after_fork
