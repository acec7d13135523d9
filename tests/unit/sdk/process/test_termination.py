import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from homeostat.process.termination import Termination


@pytest.fixture
def _own_handler() -> Iterator[None]:
    """Give the signal back as it was."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def termination(done: list[str]) -> Termination:
    """Return one that writes down what it does."""
    return Termination(save=lambda: done.append("save"), hasten=lambda: done.append("hasten"), budget_s=1)


@pytest.mark.usefixtures("_own_handler")
def test_a_handler_of_the_program_is_called_after_a_hint() -> None:
    """The program decides when it ends; nothing waits in its handler."""
    done: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: done.append("program"))
    chained = termination(done)
    chained.start()
    assert chained.is_chained
    os.kill(os.getpid(), signal.SIGTERM)
    assert done == ["hasten", "program"]


@pytest.mark.usefixtures("_own_handler")
def test_an_ignored_signal_stays_ignored() -> None:
    """Who ignores it has a reason."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    chained = termination([])
    chained.start()
    assert not chained.is_chained
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("_own_handler")
def test_the_signal_goes_back_to_whom_it_belonged() -> None:
    """Unless somebody has taken it in the meantime."""

    def program(*_: object) -> None:
        """Handle it."""

    signal.signal(signal.SIGTERM, program)
    first = termination([])
    first.start()
    first.stop()
    assert signal.getsignal(signal.SIGTERM) is program
    first.start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    first.stop()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("_own_handler")
def test_outside_the_main_thread_nothing_is_chained() -> None:
    """Python allows handlers there only."""
    chained = termination([])
    thread = threading.Thread(target=chained.start)
    thread.start()
    thread.join()
    assert not chained.is_chained


DYING = """
import os, signal, sys, threading
from homeostat.process.termination import Termination
lock = threading.Lock()
def save():
    with lock:
        sys.stdout.write("saved"); sys.stdout.flush()
Termination(save=save, hasten=print, budget_s=float(sys.argv[2])).start()
if sys.argv[1] == "locked":
    lock.acquire()
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(("state", "saved"), [("free", "saved"), ("locked", "")])
def test_where_nobody_handles_it_the_process_dies_of_it_after_saving(state: str, saved: str) -> None:
    """Its parent sees the signal; saving that cannot end is left behind when its time is over."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, state, "1"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        # Coverage would handle the signal.
        env={name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "COV_"))},
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, saved), done.stderr
