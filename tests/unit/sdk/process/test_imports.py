import subprocess
import sys
import threading
from pathlib import Path

import pytest

from homeostat.process.imports import LateImports

PROGRAM = """
import os, signal, sys, threading
from homeostat.process.forks import ForkHooks, ForkWatch
from homeostat.process.imports import LATE_IMPORTS
import gate

def nothing():
    pass

ForkWatch(ForkHooks(before=nothing, in_parent=nothing, in_child=nothing, at_exit=nothing)).start()
importing = threading.Thread(target=LATE_IMPORTS.load, args=("slow",))
importing.start()
gate.entered.wait()
# Long after the fork would have happened if it waited for nothing.
threading.Timer(0.3, gate.go.set).start()
pid = os.fork()
if pid == 0:
    signal.alarm(10)
    LATE_IMPORTS.load("slow")
    import slow
    os._exit(slow.ANSWER)
importing.join()
LATE_IMPORTS.load("json")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_fork_waits_for_an_import(tmp_path: Path) -> None:
    """Its child could never import that module otherwise; parent and child import freely afterwards."""
    (tmp_path / "gate.py").write_text("import threading\nentered, go = threading.Event(), threading.Event()\n")
    (tmp_path / "slow.py").write_text("import gate\ngate.entered.set()\ngate.go.wait()\nANSWER = 42\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 42, done.stderr


def test_a_module_that_is_not_there_is_an_error() -> None:
    """And the next import goes on."""
    imports = LateImports()
    with pytest.raises(ImportError):
        imports.load("no_such_module_anywhere")
    imports.load("json")


def test_a_fork_does_not_wait_for_ever() -> None:
    """An import that hangs does not keep the program from forking, and its thread keeps its lock."""
    imports = LateImports(patience_s=0.01)
    holding, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with imports._lock:
            holding.set()
            may_end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait()
    imports.before_fork()
    imports.after_fork_in_parent()
    may_end.set()
    holder.join()
    imports.load("json")
