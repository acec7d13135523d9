"""What tests of contexts ask wherever work may go, in a module that a process pool can import."""

import threading

from opentelemetry.propagate import set_global_textmap

from homeostat.propagation import Propagator, current


def tenant() -> str | None:
    """Return the tenant of the current work."""
    return current().tenant


def use_propagator() -> None:
    """Read what comes along, in a process that a pool has started."""
    set_global_textmap(Propagator())


class Asking(threading.Thread):
    """A thread that overrides `run`, as many do."""

    def __init__(self) -> None:
        """Have no answer yet."""
        super().__init__()
        self.answer: str | None = None

    def run(self) -> None:
        """Ask who this is done for."""
        self.answer = tenant()
