"""Imports that our own threads make late, kept apart from forks. It knows no module by name.

A child that is forked while a thread imports a module waits for ever when it imports the module, too: the lock of that
module is held by a thread that the child does not have (CPython renews the lock of all imports in a child, not those of
single modules). So our threads import through here, and a fork waits until none of them does.
"""

import importlib
import threading
from typing import Final

PATIENCE_S: Final = 2.0
"""A fork waits so long for an import; if it takes longer, the program's fork matters more."""


class LateImports:
    """Import modules, but not during a fork.

    Args:
        patience_s: how long a fork waits for an import.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.RLock()
        self._is_forking = False

    def load(self, *names: str) -> None:
        """Import the modules, so that an ordinary import statement finds them afterwards.

        Args:
            names: of modules, dotted.

        Raises:
            ImportError: there is no such module.
        """
        with self._lock:
            for name in names:
                importlib.import_module(name)

    def before_fork(self) -> None:
        """Wait until nothing is imported, and let nothing be imported until the fork is over."""
        self._is_forking = self._lock.acquire(timeout=self._patience_s)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._is_forking:
            self._is_forking = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: whoever held the lock is not in this process."""
        self._is_forking = False
        self._lock = threading.RLock()


LATE_IMPORTS: Final = LateImports()
"""Those of this process."""
